//! Comparing what a page shows with what really came: `…` stands for what differs each time.

use serde_json::Value;

/// Whether `found` is what `shown` says. In JSON `…` in a text stands for anything, and a
/// member `"…": "…"` for further members; in other texts `…` stands for anything within a
/// line, and a line of its own for any number of lines.
pub fn matches(info: &str, shown: &str, found: &str) -> bool {
    if info == "json" {
        let Ok(shown) = serde_json::from_str(shown) else { return false };
        return serde_json::from_str(found).is_ok_and(|found| same(&shown, &found));
    }
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let found: Vec<&str> = found.trim_end().lines().collect();
    wild(&shown, &found, &|shown| *shown == "…", &|shown, found| line(shown.trim_end(), found.trim_end()))
}

fn same(shown: &Value, found: &Value) -> bool {
    match (shown, found) {
        (Value::String(shown), Value::String(found)) => line(shown, found),
        (Value::Array(shown), Value::Array(found)) => {
            shown.len() == found.len() && shown.iter().zip(found).all(|(shown, found)| same(shown, found))
        }
        (Value::Object(shown), Value::Object(found)) => {
            let more = shown.contains_key("…");
            let named = shown.iter().filter(|(name, _)| *name != "…");
            let all =
                named.clone().all(|(name, shown)| found.get(name).is_some_and(|found| same(shown, found)));
            all && (more || named.count() == found.len())
        }
        (shown, found) => shown == found,
    }
}

fn line(shown: &str, found: &str) -> bool {
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    wild(&chars(shown), &chars(found), &|shown| *shown == '…', &|shown, found| shown == found)
}

/// Whether `found` is `shown`, in which what `is_wild` stands for any number of items.
fn wild<T>(shown: &[T], found: &[T], is_wild: &dyn Fn(&T) -> bool, same: &dyn Fn(&T, &T) -> bool) -> bool {
    match (shown.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if is_wild(first) => {
            (0..=found.len()).any(|skipped| wild(rest, &found[skipped..], is_wild, same))
        }
        (Some((first, rest)), Some((here, left))) => same(first, here) && wild(rest, left, is_wild, same),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn text_matches_line_by_line_and_a_placeholder_stays_in_its_line() {
        assert!(matches("text", "id ses_… ok\n", "id ses_0123 ok\n"));
        assert!(!matches("text", "id ses_… ok\n", "id ses_0\n1 ok\n"));
        assert!(matches("text", "a\n…\nz\n", "a\nb\nc\nz"));
        assert!(matches("text", "a\n…\nz\n", "a\nz"));
        assert!(!matches("text", "a\n…\nz\n", "a\nb"));
        assert!(!matches("text", "a", "a\nb"));
        assert!(!matches("text", "a\nb", "a"));
    }

    #[test]
    fn json_matches_by_its_members_whatever_their_order_and_form() {
        assert!(matches("json", r#"{"b": 1, "a": "t_…"}"#, r#"{"a":"t_1","b":1}"#));
        assert!(!matches("json", r#"{"a": 1}"#, r#"{"a":1,"b":1}"#));
        assert!(matches("json", r#"{"a": 1, "…": "…"}"#, r#"{"a":1,"b":1}"#));
        assert!(!matches("json", r#"{"a": 1, "…": "…"}"#, r#"{"a":2,"b":1}"#));
        assert!(!matches("json", r#"[1]"#, r#"[1,2]"#));
        assert!(!matches("json", r#"{"a": "…"}"#, r#"{"a":null}"#));
        assert!(!matches("json", "{}", "no JSON"));
    }
}
