//! The names of keys, and in which hash slot they lie.

/// How many hash slots a cluster has.
const SLOTS: u32 = 16_384;

/// The names of the keys of a store.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    partitions: Vec<Partition>,
    /// One number of guests for the whole store instead of one for each partition. A script can
    /// change both only where there is one server.
    one_number: bool,
}

/// What is common to the keys of a partition.
#[derive(Clone, Debug)]
struct Partition {
    slot: u16,
    base: String,
}

impl Keys {
    /// The names for a store that is not known yet: there is the key that says what it is.
    pub(crate) fn unknown(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), partitions: Vec::new(), one_number: false }
    }

    /// The names for a store of so many partitions.
    pub(crate) fn of(prefix: &str, partitions: u16, one_number: bool) -> Self {
        let each = (0..partitions).map(|partition| Partition::of(prefix, partition, partitions)).collect();
        Self { prefix: prefix.to_owned(), partitions: each, one_number }
    }

    pub(crate) fn partitions(&self) -> u16 {
        u16::try_from(self.partitions.len()).unwrap_or(u16::MAX)
    }

    /// The key that says what the store is.
    pub(crate) fn meta(&self) -> String {
        format!("{}:{{meta}}", self.prefix)
    }

    /// The key that says what the store is in a move of its sessions.
    pub(crate) fn phase(&self) -> String {
        format!("{}:{{meta}}phase", self.prefix)
    }

    /// The key of the turn that only one has.
    pub(crate) fn turn(&self) -> String {
        format!("{}:{{meta}}turn", self.prefix)
    }

    /// Where both lie.
    pub(crate) fn meta_slot(&self) -> u16 {
        slot(b"meta")
    }

    /// The channel on which nodes wake each other.
    pub(crate) fn channel(&self) -> String {
        format!("{}:news", self.prefix)
    }

    /// How all keys of a partition begin.
    pub(crate) fn base(&self, partition: u16) -> &str {
        &self.partitions[usize::from(partition)].base
    }

    pub(crate) fn slot(&self, partition: u16) -> u16 {
        self.partitions[usize::from(partition)].slot
    }

    pub(crate) fn head(&self, partition: u16) -> String {
        format!("{}h", self.base(partition))
    }

    pub(crate) fn session(&self, partition: u16, id: &[u8; 16]) -> Vec<u8> {
        [self.base(partition).as_bytes(), b"s", id].concat()
    }

    /// The number of guests that a partition counts in.
    pub(crate) fn guests(&self, partition: u16) -> String {
        if self.one_number {
            format!("{}:{{meta}}g", self.prefix)
        } else {
            format!("{}g", self.base(partition))
        }
    }

    /// Whether all partitions count in the same number.
    pub(crate) fn has_one_number(&self) -> bool {
        self.one_number
    }
}

impl Partition {
    /// The first tag whose slot lies in this partition's share of all slots. Servers of a cluster have
    /// ranges of slots, so each gets its share of the partitions.
    fn of(prefix: &str, partition: u16, count: u16) -> Self {
        let share = |n: u16| u32::from(n) * SLOTS / u32::from(count);
        let (from, to) = (share(partition), share(partition + 1));
        let tags = (0_u32..).map(|n| format!("p{partition}.{n}"));
        let mut fits = tags.filter_map(|tag| {
            let slot = slot(tag.as_bytes());
            (from..to).contains(&u32::from(slot)).then(|| Self { slot, base: format!("{prefix}:{{{tag}}}") })
        });
        fits.next().expect("tags go on until one fits")
    }
}

/// The hash slot of a tag: CRC-16 (XMODEM).
fn slot(tag: &[u8]) -> u16 {
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    });
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
    }

    #[test]
    fn partitions_are_spread_over_the_slots() {
        for count in [1, 3, 32, 96, 1_024] {
            let keys = Keys::of("tenure", count, false);
            for partition in 0..count {
                let share = u32::from(keys.slot(partition)) * u32::from(count) / SLOTS;
                assert!(share.abs_diff(partition.into()) <= 1, "{partition} of {count}");
            }
        }
    }
}
