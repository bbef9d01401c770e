//! What a person recognises in a list of sessions.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How much of a `User-Agent` header is kept, in bytes.
pub const MAX_USER_AGENT: usize = 512;

/// A device, as far as its requests tell. It helps people to recognise their sessions; it
/// proves nothing, and nothing is decided by it.
///
/// # Example: from the headers of a request
/// ```
/// use tenure::{Device, DeviceKind};
///
/// let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// let device = Device::from_request(Some(agent), Some("203.0.113.7".parse()?));
/// assert_eq!(device.label, "Firefox on Linux");
/// assert_eq!((device.kind, device.kind.as_str()), (DeviceKind::Desktop, "desktop"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Device {
    /// What to show: `Firefox on Linux`.
    pub label: String,
    /// The browser.
    pub browser: String,
    /// The operating system.
    pub os: String,
    /// What one holds in one's hands.
    pub kind: DeviceKind,
    /// The address it was seen at.
    pub ip: Option<IpAddr>,
    /// What it called itself, cut at 512 bytes.
    pub user_agent: String,
}

/// The kind of a [`Device`]. The words are the same in code and JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// A computer.
    Desktop,
    /// A phone.
    Phone,
    /// A tablet.
    Tablet,
    /// Nobody knows, or none of these.
    #[default]
    Other,
}

impl DeviceKind {
    /// The word, as everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Phone => "phone",
            Self::Tablet => "tablet",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Device {
    /// Without address and user agent: they are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Device {
    /// Reads what a request tells of its device. Control characters are replaced, so that
    /// no list and no log can be forged with them (ASVS 16.4.1).
    pub fn from_request(user_agent: Option<&str>, ip: Option<IpAddr>) -> Self {
        let user_agent = clean(user_agent.unwrap_or_default());
        let browser = first(&user_agent, BROWSERS);
        let os = first(&user_agent, SYSTEMS);
        let label = match (browser, os) {
            (UNKNOWN, UNKNOWN) => "Unknown device".to_owned(),
            (browser, UNKNOWN) => browser.to_owned(),
            (UNKNOWN, os) => format!("Unknown browser on {os}"),
            (browser, os) => format!("{browser} on {os}"),
        };
        let kind = match os {
            "iPadOS" => DeviceKind::Tablet,
            "Android" if !user_agent.contains("Mobile") => DeviceKind::Tablet,
            "iOS" | "Android" => DeviceKind::Phone,
            UNKNOWN => DeviceKind::Other,
            _ => DeviceKind::Desktop,
        };
        Self { label, browser: browser.into(), os: os.into(), kind, ip, user_agent }
    }
}

const UNKNOWN: &str = "Unknown";

/// The first mark that is found names the browser, so those that also carry the marks of
/// others stand before them.
const BROWSERS: &[(&str, &str)] = &[
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "Python"),
    ("python-httpx/", "Python"),
    ("okhttp/", "OkHttp"),
    ("Go-http-client/", "Go"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("iPad", "iPadOS"),
    ("iPhone", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

fn first(user_agent: &str, marks: &[(&str, &'static str)]) -> &'static str {
    marks.iter().find(|(mark, _)| user_agent.contains(mark)).map_or(UNKNOWN, |(_, name)| name)
}

fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(MAX_USER_AGENT));
    for c in text.chars() {
        if kept.len() + c.len_utf8() > MAX_USER_AGENT {
            break;
        }
        kept.push(if is_hidden(c) { '\u{fffd}' } else { c });
    }
    kept
}

/// Control characters and those that turn the direction of text around.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_browsers_are_recognised() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
                "desktop",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
                "desktop",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iOS",
                "phone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36",
                "Chrome on Android",
                "phone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
                "Chrome on Android",
                "tablet",
            ),
            ("curl/8.5.0", "curl", "other"),
            ("", "Unknown device", "other"),
        ];
        for (user_agent, label, kind) in cases {
            let device = Device::from_request(Some(user_agent), None);
            assert_eq!((device.label.as_str(), device.kind.as_str()), (label, kind), "{user_agent}");
            assert_eq!(serde_json::to_value(device.kind).unwrap(), kind);
        }
    }

    #[test]
    fn asvs_16_4_1_a_user_agent_cannot_hide_or_forge() {
        let device = Device::from_request(Some("a\r\nb\u{1b}[31m\u{202e}c"), None);
        assert!(!device.user_agent.chars().any(is_hidden));
        let long = Device::from_request(Some(&"ä".repeat(5_000)), None);
        assert!(long.user_agent.len() <= MAX_USER_AGENT);
    }
}
