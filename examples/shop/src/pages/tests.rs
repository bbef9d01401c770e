//! What must be true of every page.

use jiff::Timestamp;
use tenure_tower::Level;

use super::*;
use crate::catalogue::PRODUCTS;

/// A text that breaks out of any context that is not escaped.
const HOSTILE: &str = "\"><script>alert('x')</script>&";

#[test]
fn every_page_has_one_heading_a_language_and_a_title() {
    for (name, html) in all("Alice") {
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\" data-theme=\""), "{name}");
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert_eq!(html.matches("<main ").count(), 1, "{name}");
        let (_, rest) = html.split_once("<title>").expect(name);
        let (title, _) = rest.split_once(" · Quince &amp; Kettle</title>").expect(name);
        assert!(!title.trim().is_empty(), "{name}");
    }
}

#[test]
fn hostile_text_is_escaped_wherever_it_is_shown() {
    for (name, html) in all(HOSTILE) {
        assert!(html.contains("&#60;script&#62;alert(&#39;x&#39;)"), "{name} shows it nowhere");
        assert!(!html.contains("<script"), "{name} runs it");
        assert!(!html.contains("\"><script"), "{name} lets it out of an attribute");
        assert!(!html.contains("alert('x')"), "{name} keeps its quotes");
    }
}

/// With `style-src 'self'` and no `script-src` a browser ignores what is asserted absent.
#[test]
fn no_page_needs_more_than_its_style_sheet() {
    for (name, html) in all("Alice") {
        for forbidden in ["<script", "<style", " style=", "javascript:", "http://", "https://", " onclick="] {
            let html = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            assert!(!html.contains(forbidden), "{name} has {forbidden}");
        }
    }
    assert!(!STYLESHEET.contains("url("), "the style sheet loads something");
}

#[test]
fn signing_out_is_one_click_from_every_page() {
    for (name, html) in all("Alice").into_iter().filter(|(name, _)| *name != "unavailable") {
        assert!(html.contains("<form method=\"post\" action=\"/sign-out\">"), "{name}");
    }
}

#[test]
fn every_id_is_used_once_a_page() {
    for (name, html) in all("Alice") {
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: {ids:?}");
    }
}

#[test]
fn a_page_without_a_readable_session_claims_nothing_about_it() {
    let html = render(&Unavailable { shell: Shell { visitor: Visitor::Unknown, ..shell("Alice") } });
    assert!(!html.contains("/sign-in"));
    assert!(!html.contains("/sign-out"));
}

#[test]
fn each_reason_comes_back_from_its_word() {
    for reason in SignedOutReason::ALL {
        assert_eq!(SignedOutReason::from_code(reason.code()), *reason);
    }
    assert_eq!(SignedOutReason::from_code("moonlight"), SignedOutReason::Unknown);
}

#[test]
fn each_theme_has_its_colours() {
    for theme in Theme::ALL {
        assert_eq!(Theme::from_slug(theme.slug()), Some(*theme));
        let named = STYLESHEET.contains(&format!("[data-theme=\"{}\"]", theme.slug()));
        assert!(named || *theme == Theme::System, "{theme:?}");
    }
    assert_eq!(Theme::from_slug("beige"), None);
}

#[test]
fn a_return_path_never_leaves_the_shop() {
    for good in ["/", "/cart", "/devices?x=1", "/a/b#c"] {
        assert_eq!(local_path(good), good);
    }
    for bad in [
        "",
        "cart",
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "/a\r\nb",
        "javascript:alert(1)",
    ] {
        assert_eq!(local_path(bad), "/", "{bad}");
    }
}

/// Every page, with `text` wherever a page shows what somebody else chose.
fn all(text: &str) -> Vec<(&'static str, String)> {
    let shell = || shell(text);
    let items: Vec<Item> = PRODUCTS.iter().map(|product| Item { product, in_cart: 1 }).collect();
    let lines: Vec<Line> = PRODUCTS.iter().map(|product| Line { product, quantity: 2 }).collect();
    let device = |current| Device {
        session: text.to_owned(),
        label: text.to_owned(),
        kind: DeviceKind::Phone,
        ip: text.to_owned(),
        signed_in: moment(),
        last_seen: moment(),
        current,
    };
    vec![
        ("home", render(&Home { shell: shell(), items })),
        ("cart", render(&Cart { shell: shell(), lines })),
        ("empty cart", render(&Cart { shell: shell(), lines: Vec::new() })),
        (
            "sign in",
            render(&SignIn {
                shell: shell(),
                return_to: text.to_owned(),
                name: text.to_owned(),
                error: Some(text.to_owned()),
                confirms: false,
                remembered: false,
                people: &PEOPLE,
            }),
        ),
        (
            "account",
            render(&Account {
                shell: shell(),
                name: text.to_owned(),
                user: text.to_owned(),
                level: Level::Two,
                methods: vec![Method { method: text.to_owned(), at: moment() }],
                signed_in: moment(),
                idle_ends: moment(),
                ends: moment(),
                remembered: true,
                devices: 2,
            }),
        ),
        ("devices", render(&Devices { shell: shell(), devices: vec![device(true), device(false)] })),
        ("appearance", render(&Appearance { shell: shell() })),
        (
            "signed out",
            render(&SignedOut {
                shell: shell(),
                reason: SignedOutReason::TokenReuse,
                return_to: text.to_owned(),
            }),
        ),
        ("not found", render(&NotFound { shell: shell() })),
        ("unavailable", render(&Unavailable { shell: shell() })),
        (
            "error",
            render(&ErrorPage {
                shell: shell(),
                status: 403,
                code: text.to_owned(),
                title: text.to_owned(),
                sentence: text.to_owned(),
            }),
        ),
    ]
}

fn shell(text: &str) -> Shell {
    Shell {
        theme: Theme::Dark,
        visitor: Visitor::SignedIn { name: text.to_owned() },
        cart_count: 3,
        path: format!("/{text}"),
        notice: Some(text.to_owned()),
        happened: text.to_owned(),
        session: Some(SessionFacts {
            id: text.to_owned(),
            previous: Some(text.to_owned()),
            generation: 1,
            level: 1,
            idle_ends: moment(),
            ends: moment(),
            remembered: false,
        }),
    }
}

fn moment() -> Moment {
    Moment::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
}

fn render(page: &impl Template) -> String {
    page.render().expect("a page always renders")
}
