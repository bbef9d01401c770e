//! The colours a person can choose.

/// One set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Light or dark, as the device is set.
    #[default]
    System,
    /// Bottle green on white.
    Light,
    /// Quince yellow on near black.
    Dark,
    /// Warm and light.
    Apricot,
    /// Purple and dark.
    Plum,
}

impl Theme {
    /// All of them in the order of the page.
    pub const ALL: &'static [Theme] =
        &[Theme::System, Theme::Light, Theme::Dark, Theme::Apricot, Theme::Plum];

    /// Its name in forms, in the style sheet and in the session.
    pub fn slug(&self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
            Theme::Apricot => "apricot",
            Theme::Plum => "plum",
        }
    }

    /// The theme of that name.
    pub fn from_slug(slug: &str) -> Option<Theme> {
        Theme::ALL.iter().copied().find(|theme| theme.slug() == slug)
    }

    /// Its name for people.
    pub fn title(&self) -> &'static str {
        match self {
            Theme::System => "As my device",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
            Theme::Apricot => "Apricot",
            Theme::Plum => "Plum",
        }
    }

    pub(super) fn blurb(&self) -> &'static str {
        match self {
            Theme::System => "Light by day, dark when your device says so",
            Theme::Light => "Bottle green on white",
            Theme::Dark => "A lamp and a quince",
            Theme::Apricot => "Warm as toast",
            Theme::Plum => "Late, with jam",
        }
    }

    /// What a picture of it shows, one beside the other.
    pub(super) fn looks(&self) -> &'static [Theme] {
        match self {
            Theme::System => &[Theme::Light, Theme::Dark],
            Theme::Light => &[Theme::Light],
            Theme::Dark => &[Theme::Dark],
            Theme::Apricot => &[Theme::Apricot],
            Theme::Plum => &[Theme::Plum],
        }
    }

    pub(super) fn schemes(&self) -> &'static str {
        match self {
            Theme::System => "light dark",
            Theme::Light | Theme::Apricot => "light",
            Theme::Dark | Theme::Plum => "dark",
        }
    }
}
