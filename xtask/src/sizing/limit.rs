//! What a plan uses of what there may be.

/// Something that there is only so much of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) what: &'static str,
    /// 1 is all of it.
    pub(crate) used: f64,
}

impl Limit {
    pub(crate) fn new(what: &'static str, used: f64, of: f64) -> Self {
        Self { what, used: used / of }
    }

    pub(crate) fn fits(&self) -> bool {
        self.used <= 1.0
    }
}

/// The one that is nearest, or furthest beyond.
pub(crate) fn nearest(limits: &[Limit]) -> &Limit {
    const NONE: &Limit = &Limit { what: "nothing", used: 0.0 };
    limits.iter().max_by(|one, other| one.used.total_cmp(&other.used)).unwrap_or(NONE)
}

/// Whether all are kept.
pub(crate) fn all_fit(limits: &[Limit]) -> bool {
    limits.iter().all(Limit::fits)
}
