//! Tables.

use std::borrow::Cow;

use maud::{Markup, html};

/// A cell: text, or a number, which is aligned to the right.
pub(super) struct Cell {
    text: Cow<'static, str>,
    class: Option<&'static str>,
}

impl Cell {
    pub(super) fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), class: None }
    }

    pub(super) fn number(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), class: Some("number") }
    }

    /// Text in the colour of a good or a bad value; the text says which it is.
    pub(super) fn judged(text: impl Into<Cow<'static, str>>, good: bool) -> Self {
        Self { text: text.into(), class: Some(if good { "good" } else { "bad" }) }
    }
}

/// A table whose rows are named by their first cell. It can be scrolled with the keyboard where it is too wide.
pub(super) fn table(head: &[Cell], rows: impl Iterator<Item = Vec<Cell>>) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="group" aria-label=[head.first().map(|cell| &cell.text)] {
            table {
                thead {
                    tr { @for cell in head { th scope="col" class=[cell.class] { (cell.text) } } }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 {
                                    th scope="row" class=[cell.class] { (cell.text) }
                                } @else {
                                    td class=[cell.class] { (cell.text) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
