//! Tables that come from the code. Each stands in its page between two comments, and
//! `TENURE_BLESS=1` writes it anew.

use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::pages::{Page, folder};

/// Holds the part `name` of the page `of` to what the code says.
///
/// # Panics
/// When the page has no such part, or another one than `wanted`.
pub fn hold(of: &str, name: &str, wanted: &str) {
    // Several tests write parts of the same page.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(text) = renewed(&Page::named(of), name, wanted) else { return };
    let bless = std::env::var_os("TENURE_BLESS").is_some_and(|on| on == "1");
    assert!(bless, "{of}: `{name}` is not what the code says; TENURE_BLESS=1 writes it anew:\n{wanted}");
    let draft = folder().join(format!("{of}.tmp.new"));
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, folder().join(of)))
        .expect("the page can be written");
}

/// The text of the page with `wanted` as its part `name`; none when that is so already.
fn renewed(page: &Page, name: &str, wanted: &str) -> Option<String> {
    let begin = format!("<!-- from the code: {name} -->\n");
    let at = page.text.find(&begin).unwrap_or_else(|| panic!("{}: no `{}`", page.name, begin.trim_end()));
    let (head, rest) = page.text.split_at(at + begin.len());
    let end = rest.find("<!-- end -->").unwrap_or_else(|| panic!("{}: {name} has no end", page.name));
    let wanted = format!("\n{}\n\n", wanted.trim_end());
    (rest[..end] != wanted).then(|| format!("{head}{wanted}{}", &rest[end..]))
}

/// A number of seconds as people say it: `1800 (30 min)`.
pub fn seconds(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let fits = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    match fits {
        Some((unit, name)) => format!("{seconds} ({} {name})", seconds / unit),
        None => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_said_as_people_say_them() {
        let said = [5, 90, 60, 1_800, 43_200, 86_400, 2_592_000].map(seconds);
        assert_eq!(
            said,
            ["5", "90", "60 (1 min)", "1800 (30 min)", "43200 (12 h)", "86400 (1 d)", "2592000 (30 d)"]
        );
    }

    #[test]
    fn a_part_that_is_not_from_the_code_is_written_anew() {
        let text = "a\n<!-- from the code: x -->\n\nb\n\n<!-- end -->\nc\n".to_owned();
        let page = Page { name: "a.md".into(), text: text.clone() };
        assert_eq!(renewed(&page, "x", "b\n"), None);
        assert_eq!(renewed(&page, "x", "d\n"), Some(text.replace('b', "d")));
    }

    #[test]
    #[should_panic(expected = "a.md: no `<!-- from the code: x -->`")]
    fn a_page_without_the_part_is_told() {
        renewed(&Page { name: "a.md".into(), text: String::new() }, "x", "");
    }
}
