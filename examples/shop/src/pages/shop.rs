//! The pages one shops on: the catalogue and the cart.

use askama::Template;

use super::Shell;
use crate::catalogue::{Cents, Product, Shelf};

/// `GET /`: everything the shop offers.
///
/// Its forms post `product` (a slug) to `/cart/add`; `/#slug` leads back to the card.
#[derive(Clone, Debug, Template)]
#[template(path = "home.html")]
pub struct Home {
    /// What surrounds the page.
    pub shell: Shell,
    /// What is on the shelves.
    pub items: Vec<Item>,
}

impl Home {
    const STILL_LIFE: [&'static str; 4] = [
        include_str!("../../art/kettle.svg"),
        include_str!("../../art/quince.svg"),
        include_str!("../../art/breakfast-tea.svg"),
        include_str!("../../art/apple.svg"),
    ];
}

/// One product on its shelf.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// What it is.
    pub product: &'static Product,
    /// How many of it are in the cart already.
    pub in_cart: u32,
}

/// `GET /cart`: what the visitor has picked.
///
/// Its forms post `product` and the new `quantity` (0 takes it out) to `/cart/set`,
/// and nothing to `/cart/empty`.
#[derive(Clone, Debug, Template)]
#[template(path = "cart.html")]
pub struct Cart {
    /// What surrounds the page.
    pub shell: Shell,
    /// One line for each product, none with quantity 0.
    pub lines: Vec<Line>,
}

impl Cart {
    /// What all of it costs.
    pub fn total(&self) -> Cents {
        Cents(self.lines.iter().map(|line| line.total().0).sum())
    }
}

/// One product in the cart.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// What it is.
    pub product: &'static Product,
    /// How many of it.
    pub quantity: u32,
}

impl Line {
    /// What the line costs.
    pub fn total(&self) -> Cents {
        Cents(self.product.price.0 * u64::from(self.quantity))
    }

    fn one_less(&self) -> u32 {
        self.quantity.saturating_sub(1)
    }

    fn one_more(&self) -> u32 {
        self.quantity.saturating_add(1)
    }
}
