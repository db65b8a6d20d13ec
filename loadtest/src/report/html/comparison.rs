//! The values of the run beside those of the earlier one.

use maud::{Markup, html};

use super::table::{Cell, table};
use crate::report::{
    comparison::{Comparison, Judgement, Row},
    table::number,
};

pub(super) fn section(comparison: &Comparison) -> Markup {
    let head = ["before", "now"].map(Cell::number);
    let head = [Cell::text("Value")].into_iter().chain(head);
    let head = head.chain([Cell::text("unit"), Cell::number("change"), Cell::text("result")]).collect::<Vec<_>>();
    let time = comparison.baseline.time.as_deref().unwrap_or("at an unknown time");
    html! {
        section aria-labelledby="baseline" {
            h2 id="baseline" { "Compared with an earlier run" }
            p {
                (comparison.baseline.file) ", " (time) ". Marked beyond " (comparison.tolerance) " %."
            }
            (table(&head, comparison.rows.iter().map(row)))
        }
    }
}

fn row(row: &Row) -> Vec<Cell> {
    let mark = row.judgement.mark();
    let mark = match row.judgement {
        Judgement::Better | Judgement::Worse => Cell::judged(mark, row.judgement == Judgement::Better),
        Judgement::Same | Judgement::NotJudged => Cell::text(mark),
    };
    vec![
        Cell::text(row.label.clone()),
        Cell::number(number(row.before, row.unit)),
        Cell::number(number(row.now, row.unit)),
        Cell::text(row.unit),
        Cell::number(row.change_text()),
        mark,
    ]
}
