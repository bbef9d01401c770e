//! Sample sessions, so that there is something to look at from the start.

use tenure_tower::tenure::{Changes, NewGuest, Sessions, SignIn};
use tenure_tower::{Device, Error};

use crate::pages::PEOPLE;
use crate::people::user_id;

/// Where the samples seem to come from; addresses that documentation may use (RFC 5737).
const DEVICES: [(&str, [u8; 4]); 3] = [
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1",
        [203, 0, 113, 7],
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", [198, 51, 100, 23]),
    (
        "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
        [192, 0, 2, 44],
    ),
];

/// Signs the sample people in on other devices, where that is not so already.
///
/// # Errors
/// When the store does not answer.
pub async fn fill(sessions: &Sessions) -> Result<(), Error> {
    let had_sessions = !sessions.page(None, 1).await?.sessions.is_empty();
    for (at, person) in PEOPLE.iter().enumerate() {
        let Some(user) = user_id(person) else { continue };
        if !sessions.list(&user).await?.is_empty() {
            continue;
        }
        for (user_agent, ip) in &DEVICES[..DEVICES.len() - at] {
            let device = Device::from_request(Some(user_agent), Some((*ip).into()));
            sessions.sign_in(None, SignIn::password(user.clone()).remember(true).device(device)).await?;
        }
    }
    if had_sessions {
        return Ok(());
    }
    let device = Device::from_request(Some(DEVICES[0].0), Some(DEVICES[0].1.into()));
    let data = Changes::default().set("cart", [("apple", 3)].into_iter().collect());
    sessions.create_guest(NewGuest::with(data).device(device)).await?;
    Ok(())
}
