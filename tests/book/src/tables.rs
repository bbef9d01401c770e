//! Tables that come from the code. Each stands in its page between two comments, and
//! `TENURE_BLESS=1` writes it anew.

use std::fs;

use crate::pages::{Page, folder};

/// Holds the part `name` of a page to what the code says.
///
/// # Panics
/// When the page has no such part, or another one than `wanted`.
pub fn hold(page: &Page, name: &str, wanted: &str) {
    let begin = format!("<!-- from the code: {name} -->\n");
    let at = page.text.find(&begin).unwrap_or_else(|| panic!("{}: no `{}`", page.name, begin.trim_end()));
    let (head, rest) = page.text.split_at(at + begin.len());
    let end = rest.find("<!-- end -->").unwrap_or_else(|| panic!("{}: {name} has no end", page.name));
    let wanted = format!("\n{}\n\n", wanted.trim_end());
    if rest[..end] == wanted {
        return;
    }
    if std::env::var_os("TENURE_BLESS").is_some_and(|on| on == "1") {
        let text = format!("{head}{wanted}{}", &rest[end..]);
        fs::write(folder().join(&page.name), text).expect("the page can be written");
        return;
    }
    panic!("{}: `{name}` is not what the code says; TENURE_BLESS=1 writes it anew:\n{wanted}", page.name);
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
    #[should_panic(expected = "`x` is not what the code says")]
    fn a_table_that_is_not_from_the_code_is_told() {
        let text = "<!-- from the code: x -->\n\na\n\n<!-- end -->\n".into();
        let page = Page { name: "no-such-page.md".into(), text };
        hold(&page, "x", "a");
        hold(&page, "x", "b");
    }
}
