//! What is encrypted before it goes to a store, and for which place.

use std::net::IpAddr;

use crate::device::Device;
use crate::error::Error;
use crate::id::{OperationId, SessionId};
use crate::keys::{Keys, joint_key};
use crate::random::Random;
use crate::record::{Record, Value};
use crate::seal;
use crate::store::StoreError;
use crate::token::Secret;

/// What was sealed does not open.
fn damaged(what: impl std::fmt::Display) -> Error {
    let what = format!(
        "what it holds of {what} cannot be decrypted: the master key is another one, or the data is damaged; \
         run `tenure store verify DIR`, or restore a backup"
    );
    StoreError::Corrupt(what).into()
}

/// Seals a value of a session's data. It opens for this session and key only.
pub(crate) fn seal_value(
    keys: &Keys,
    random: &dyn Random,
    id: SessionId,
    key: &str,
    value: &[u8],
) -> Vec<u8> {
    seal::seal(&keys.data, &place(id, b'v', key), value, random)
}

/// Opens a value.
pub(crate) fn open_value(keys: &Keys, id: SessionId, key: &str, value: &Value) -> Result<Vec<u8>, Error> {
    seal::open(&keys.data, &place(id, b'v', key), &value.sealed).ok_or_else(|| damaged(id))
}

/// Seals a device. One that is what its requests told is kept as that: the rest follows from it.
pub(crate) fn seal_device(keys: &Keys, random: &dyn Random, id: SessionId, device: &Device) -> Vec<u8> {
    let told = Device::from_request(Some(&device.user_agent), device.ip);
    let plain = if told == *device {
        let address = match device.ip {
            None => Vec::new(),
            Some(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Some(IpAddr::V6(ip)) => ip.octets().to_vec(),
        };
        // Its length is no character that JSON begins with.
        let length = u8::try_from(address.len()).unwrap_or(0);
        [&[length], &*address, device.user_agent.as_bytes()].concat()
    } else {
        serde_json::to_vec(device).expect("a device has nothing that JSON cannot hold")
    };
    seal::seal(&keys.data, &place(id, b'd', ""), &plain, random)
}

pub(crate) fn open_device(keys: &Keys, record: &Record) -> Result<Device, Error> {
    let plain = seal::open(&keys.data, &place(record.id, b'd', ""), &record.device)
        .ok_or_else(|| damaged(record.id))?;
    let read =
        if plain.starts_with(b"{") { serde_json::from_slice(&plain).ok() } else { told_device(&plain) };
    read.ok_or_else(|| damaged(record.id))
}

/// A device by what its requests told: how long the address is, the address, the user agent.
fn told_device(plain: &[u8]) -> Option<Device> {
    let (length, rest) = plain.split_first()?;
    let (address, user_agent) = rest.split_at_checked(usize::from(*length))?;
    let ip = match address.len() {
        0 => None,
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(address).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(address).ok()?)),
        _ => return None,
    };
    Some(Device::from_request(Some(std::str::from_utf8(user_agent).ok()?), ip))
}

/// Seals the next secret so that it takes the previous one to open it: neither a copy of
/// the store nor the master key alone gives it.
pub(crate) fn seal_successor(
    keys: &Keys,
    random: &dyn Random,
    previous: &Secret,
    (id, generation): (SessionId, u32),
    next: &Secret,
) -> Vec<u8> {
    let key = successor_key(keys, previous, id, generation);
    seal::seal(&key, b"successor", next.as_bytes(), random)
}

pub(crate) fn open_successor(
    keys: &Keys,
    previous: &Secret,
    (id, generation): (SessionId, u32),
    sealed: &[u8],
) -> Result<Secret, Error> {
    let key = successor_key(keys, previous, id, generation);
    let plain = seal::open(&key, b"successor", sealed).ok_or_else(|| damaged(id))?;
    plain.try_into().map(Secret::from_bytes).map_err(|_| damaged(id))
}

fn successor_key(keys: &Keys, previous: &Secret, id: SessionId, generation: u32) -> [u8; 32] {
    joint_key(previous.as_bytes(), &keys.successor, &[id.as_bytes(), &generation.to_be_bytes()])
}

/// Seals the secret of an answer so that only a retry with the same idempotency key gets it.
pub(crate) fn seal_receipt(
    keys: &Keys,
    random: &dyn Random,
    idempotency_key: &[u8],
    operation: OperationId,
    (generation, secret): (u32, &Secret),
) -> Vec<u8> {
    let key = joint_key(idempotency_key, &keys.receipt, &[operation.as_bytes()]);
    let mut plain = generation.to_be_bytes().to_vec();
    plain.extend(secret.as_bytes());
    seal::seal(&key, b"receipt", &plain, random)
}

pub(crate) fn open_receipt(
    keys: &Keys,
    idempotency_key: &[u8],
    operation: OperationId,
    sealed: &[u8],
) -> Result<(u32, Secret), Error> {
    let key = joint_key(idempotency_key, &keys.receipt, &[operation.as_bytes()]);
    let broken = || damaged("the receipt of an answer");
    let plain = seal::open(&key, b"receipt", sealed).ok_or_else(broken)?;
    let (generation, secret) = plain.split_first_chunk::<4>().ok_or_else(broken)?;
    let secret = secret.try_into().map_err(|_| broken())?;
    Ok((u32::from_be_bytes(*generation), Secret::from_bytes(secret)))
}

fn place(id: SessionId, what: u8, key: &str) -> Vec<u8> {
    let mut place = id.as_bytes().to_vec();
    place.push(what);
    place.extend(key.as_bytes());
    place
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::MasterKey;
    use crate::id::{Realm, Route};
    use crate::random::SystemRandom;
    use crate::record::{NewSession, NewState};
    use crate::token::Secret;

    fn there_and_back(device: &Device) -> (usize, Device) {
        let keys = Keys::derive(&MasterKey::generate(&SystemRandom));
        let id = SessionId::new(crate::clock::Timestamp::from_millis(5), Route(1), &SystemRandom);
        let sealed = seal_device(&keys, &SystemRandom, id, device);
        let length = sealed.len();
        let new = NewSession {
            id,
            realm: Realm::default(),
            state: NewState::Guest,
            previous: None,
            idle_ms: 1,
            absolute_ms: 2,
            persistent: false,
            hash: Secret::new(&SystemRandom).hash(),
            device: sealed,
            data: BTreeMap::new(),
            adopted_until: None,
        };
        let record = new.record(crate::clock::Timestamp::from_millis(7)).unwrap();
        (length, open_device(&keys, &record).unwrap())
    }

    #[test]
    fn a_device_reads_back_and_one_told_by_its_requests_takes_what_they_told() {
        const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) \"Gecko\"\n/20100101 Firefox/140.0";
        for user_agent in [None, Some(FIREFOX)] {
            for ip in [None, "203.0.113.7".parse().ok(), "2001:db8::1".parse().ok()] {
                let device = Device::from_request(user_agent, ip);
                let (length, read) = there_and_back(&device);
                assert_eq!(read, device);
                let address = ip.map_or(0, |ip| if ip.is_ipv4() { 4 } else { 16 });
                assert_eq!(length, 1 + address + device.user_agent.len() + seal::SEAL_OVERHEAD);
            }
        }
        let named = Device { label: "the till".into(), ..Device::from_request(Some(FIREFOX), None) };
        assert_eq!(there_and_back(&named).1, named);
        assert_eq!(there_and_back(&Device::default()).1, Device::default());
    }
}
