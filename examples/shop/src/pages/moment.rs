//! Points in time as people read them.

use askama::Template;
use askama::filters::HtmlSafe;
use jiff::Timestamp;

/// A point in time, shown as its distance from now, with the exact time at hand.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ date }}">{{ relative }}</time>"#, ext = "html")]
pub struct Moment {
    /// RFC 3339, for machines.
    pub iso: String,
    /// The date and the time of day in UTC.
    pub date: String,
    /// The distance from now, such as `3 minutes ago` or `in 2 hours`.
    pub relative: String,
}

/// Its only markup is its own, and what it shows is escaped.
impl HtmlSafe for Moment {}

impl Moment {
    /// The moment `at`, seen from `now`.
    pub fn new(at: Timestamp, now: Timestamp) -> Moment {
        // Cut and not rounded, so that what has just been is never yet to come.
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        Moment {
            iso: at.to_string(),
            date: at.strftime("%-d %B %Y, %H:%M UTC").to_string(),
            relative: relative(at.as_second() - now.as_second()),
        }
    }
}

fn relative(seconds: i64) -> String {
    let away = seconds.unsigned_abs();
    let (count, unit) = match away {
        0..45 if seconds <= 0 => return "just now".to_owned(),
        0..45 => return "in a moment".to_owned(),
        45..5_400 => (rounded(away, 60), "minute"),
        5_400..129_600 => (rounded(away, 3_600), "hour"),
        _ => (rounded(away, 86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("{count} {unit}{plural} ago") } else { format!("in {count} {unit}{plural}") }
}

fn rounded(away: u64, unit: u64) -> u64 {
    ((away + unit / 2) / unit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_as_people_say_them() {
        for (seconds, words) in [
            (0, "just now"),
            (-44, "just now"),
            (20, "in a moment"),
            (-60, "1 minute ago"),
            (1_800, "in 30 minutes"),
            (-7_200, "2 hours ago"),
            (43_200, "in 12 hours"),
            (-129_600, "2 days ago"),
            (2_592_000, "in 30 days"),
        ] {
            assert_eq!(relative(seconds), words, "{seconds}");
        }
    }

    #[test]
    fn what_has_just_been_is_not_yet_to_come() {
        let at = Timestamp::from_millisecond(1_795_428_000_700).expect("in range");
        let now = Timestamp::from_millisecond(1_795_428_000_900).expect("in range");
        let moment = Moment::new(at, now);
        assert_eq!((moment.relative.as_str(), moment.iso.as_str()), ("just now", "2026-11-23T10:00:00Z"));
    }

    #[test]
    fn a_moment_renders_as_a_time_element() {
        let now = Timestamp::from_second(1_795_428_000).expect("in range");
        let at = Timestamp::from_second(1_795_427_880).expect("in range");
        assert_eq!(
            Moment::new(at, now).render().expect("renders"),
            "<time datetime=\"2026-11-23T09:58:00Z\" title=\"23 November 2026, 09:58 UTC\">2 minutes ago</time>"
        );
    }
}
