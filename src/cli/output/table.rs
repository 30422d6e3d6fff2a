//! Text tables as docker prints them: upper-case headers, columns separated by blanks, no lines.

use std::fmt;

use console::{measure_text_width, truncate_str};

use super::style;
use crate::sanitize;

/// Blanks between two columns.
const COLUMN_GAP: usize = 3;

/// The minimum width of docker's columns with their gap. The last column may be narrower.
const WIDTH_MIN: usize = 10;

/// A table. With `Display` every line ends in a newline and none in a blank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// The columns that the table may take, if they are limited.
    max_width: Option<usize>,
    /// Whether the headers are in colour.
    has_color: bool,
}

impl Table {
    /// A table with these headers and no rows.
    pub fn new(headers: &[&str]) -> Table {
        Table { rows: vec![headers.iter().map(|header| header.to_uppercase()).collect()], ..Table::default() }
    }

    /// Limits the width of the table, in columns. Without a limit every cell is shown whole.
    #[must_use]
    pub fn within(self, max_width: Option<usize>) -> Table {
        Table { max_width, ..self }
    }

    /// The same table with its headers in colour, or without.
    #[must_use]
    pub(super) fn with_color(self, has_color: bool) -> Table {
        Table { has_color, ..self }
    }

    /// Appends a row. Missing cells are empty. Control characters are shown as `?`, because a registry's text must not
    /// control the terminal.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| sanitize::short_line(cell.as_ref())).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), WIDTH_MIN);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell) + COLUMN_GAP);
            }
        }
        if let Some(max_width) = self.max_width.map(|max_width| max_width.saturating_add(COLUMN_GAP)) {
            shrink(&mut widths, max_width);
            // A name that was cut is of no use, so the columns that no longer fit are left out instead.
            while widths.len() > 1 && widths.iter().sum::<usize>() > max_width {
                widths.pop();
            }
        }
        widths
    }
}

/// Takes from the widest columns until all fit, or none is wider than the minimum. The first column has the names of
/// the rows, and stays whole. The last column needs no gap, so `max_width` has one more.
fn shrink(widths: &mut [usize], max_width: usize) {
    let mut excess = widths.iter().sum::<usize>().saturating_sub(max_width);
    while excess > 0 {
        let others = widths.iter_mut().skip(1).rev();
        let Some(widest) = others.max().filter(|widest| **widest > WIDTH_MIN) else { return };
        *widest -= 1;
        excess -= 1;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let cell = truncate_str(cell, width.saturating_sub(COLUMN_GAP).max(WIDTH_MIN - COLUMN_GAP), "...");
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(measure_text_width(&cell))));
            }
            let line = line.trim_end();
            match self.has_color && index == 0 {
                true => writeln!(f, "{}", style::headers(line))?,
                false => writeln!(f, "{line}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_columns_are_aligned_without_trailing_blanks() {
        let mut table = Table::new(&["list", "Images", "age"]);
        table.row(["docker.io/library/app:1", "2", "3 hours ago"]);
        table.row(["a", "", ""]);
        table.row(["b"]);
        let expected = "\
LIST                      IMAGES    AGE
docker.io/library/app:1   2         3 hours ago
a
b
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(&["annotation", "x"]);
        table.row(["東京東京東京", "1"]);
        table.row(["é", "2"]);
        let expected = "ANNOTATION     X\n東京東京東京   1\né              2\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn control_characters_in_a_cell_are_replaced() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["\u{1b}[31m\n", "c"]);
        assert_eq!(table.to_string(), "A         B\n?[31m?    c\n");
    }

    #[test]
    fn tables_are_cut_to_the_width_of_the_terminal() {
        let mut table = Table::new(&["name", "digest", "size", "from"]);
        table.row(["docker.io/library/app:1", "sha256:0123456789", "12 kB", "h:5000/app"]);
        table.row(["a", "b", "c"]);
        let whole = table.to_string();
        assert_eq!(table.clone().within(Some(200)).to_string(), whole);
        assert_eq!(table.clone().within(None).to_string(), whole);
        for (max_width, columns) in [(63, 4), (53, 4), (50, 3), (44, 3), (40, 2), (33, 2), (25, 1)] {
            let text = table.clone().within(Some(max_width)).to_string();
            assert!(text.lines().all(|line| line.len() <= max_width), "{max_width}:\n{text}");
            // The names stay whole: columns are cut, and those that do not fit are left out.
            assert!(text.contains("\ndocker.io/library/app:1"), "{max_width}:\n{text}");
            let headers = text.lines().next().unwrap().split_whitespace().count();
            assert_eq!(headers, columns, "{max_width}:\n{text}");
        }
        assert_eq!(table.within(Some(1)).to_string(), "NAME\ndocker.io/library/app:1\na\n");
    }

    #[test]
    fn a_table_without_rows_is_its_headers() {
        assert_eq!(Table::new(&["a", "b"]).to_string(), "A         B\n");
        assert_eq!(Table::new(&[]).to_string(), "\n");
    }
}
