//! What the shop has on its shelves.

use std::fmt;

/// An amount of money in euro cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub u64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "€{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// One thing the shop offers.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name in forms and in the cart; never changes.
    pub slug: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What one of it costs.
    pub price: Cents,
    /// One sentence that makes one want it.
    pub blurb: &'static str,
    /// Where it stands.
    pub shelf: Shelf,
    /// The style sheet's class for the colour behind its picture.
    pub tint: &'static str,
    /// Its picture, an inline SVG.
    pub art: &'static str,
}

/// A part of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// What grew on a tree.
    Orchard,
    /// What a kettle wants.
    Pantry,
}

impl Shelf {
    /// The shelves in the order of the page.
    pub const ALL: &'static [Shelf] = &[Shelf::Orchard, Shelf::Pantry];

    /// Its name in addresses.
    pub fn slug(&self) -> &'static str {
        match self {
            Shelf::Orchard => "orchard",
            Shelf::Pantry => "pantry",
        }
    }

    /// Its name for people.
    pub fn title(&self) -> &'static str {
        match self {
            Shelf::Orchard => "From the orchard",
            Shelf::Pantry => "For the tea table",
        }
    }
}

/// Everything the shop offers, in the order of the page.
pub static PRODUCTS: [Product; 8] = [
    Product {
        slug: "apple",
        name: "Orchard apple",
        price: Cents(80),
        blurb: "Crisp, a little sharp, polished on a sleeve.",
        shelf: Shelf::Orchard,
        tint: "rose",
        art: include_str!("../art/apple.svg"),
    },
    Product {
        slug: "quince",
        name: "Golden quince",
        price: Cents(180),
        blurb: "Hard as wood, until an hour in the oven.",
        shelf: Shelf::Orchard,
        tint: "gold",
        art: include_str!("../art/quince.svg"),
    },
    Product {
        slug: "fig",
        name: "Figs, a pair",
        price: Cents(340),
        blurb: "Ripe on the day, gone by the next.",
        shelf: Shelf::Orchard,
        tint: "sea",
        art: include_str!("../art/fig.svg"),
    },
    Product {
        slug: "lemon",
        name: "Amalfi lemon",
        price: Cents(95),
        blurb: "Thick rind, bright oil, a slice for the pot.",
        shelf: Shelf::Orchard,
        tint: "leaf",
        art: include_str!("../art/lemon.svg"),
    },
    Product {
        slug: "breakfast-tea",
        name: "Breakfast tea",
        price: Cents(890),
        blurb: "Dark and brisk; takes milk without a word.",
        shelf: Shelf::Pantry,
        tint: "plum",
        art: include_str!("../art/breakfast-tea.svg"),
    },
    Product {
        slug: "chamomile",
        name: "Chamomile",
        price: Cents(720),
        blurb: "Whole flowers for the end of the day.",
        shelf: Shelf::Pantry,
        tint: "gold",
        art: include_str!("../art/chamomile.svg"),
    },
    Product {
        slug: "plum-jam",
        name: "Plum jam",
        price: Cents(580),
        blurb: "Three parts plum, one part patience.",
        shelf: Shelf::Pantry,
        tint: "rose",
        art: include_str!("../art/plum-jam.svg"),
    },
    Product {
        slug: "kettle",
        name: "Enamel kettle",
        price: Cents(5400),
        blurb: "Two litres, one whistle, a handle of ash.",
        shelf: Shelf::Pantry,
        tint: "sea",
        art: include_str!("../art/kettle.svg"),
    },
];

/// The product of that name, if the shop has it.
pub fn find(slug: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_always_shows_two_digits_of_cents() {
        assert_eq!(Cents(5).to_string(), "€0.05");
        assert_eq!(Cents(5400).to_string(), "€54.00");
    }

    #[test]
    fn every_product_is_found_by_its_own_slug() {
        for product in &PRODUCTS {
            assert_eq!(find(product.slug), Some(product));
        }
        assert_eq!(find("durian"), None);
    }

    /// The shop's content security policy allows neither inline styles nor scripts.
    #[test]
    fn pictures_carry_no_style_and_no_script() {
        for product in &PRODUCTS {
            assert!(product.art.starts_with("<svg"), "{}", product.slug);
            for forbidden in ["style", "<script", "href", " on"] {
                assert!(!product.art.contains(forbidden), "{}: {forbidden}", product.slug);
            }
        }
    }
}
