//! The steps of a search for the highest rate.

use maud::{Markup, html};

use super::table::{Cell, table};
use crate::report::steps::Steps;

pub(super) fn section(steps: &Steps) -> Markup {
    let (head, rows) = steps.rows();
    let head = head.map(Cell::number);
    let rows = rows.map(|row| row.into_iter().map(Cell::number).collect());
    html! {
        section {
            h2 { "Steps towards " (steps.target) }
            (table(&head, rows))
        }
    }
}
