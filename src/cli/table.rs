//! Tables for people: columns aligned by what is seen, numbers to the right.

use super::screen::Screen;
use unicode_width::UnicodeWidthStr;

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&'static str; N]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        // What came from records must not move the cursor.
        self.rows.push(cells.map(|cell| plain(&cell)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text; nothing for one without rows.
    pub(super) fn text(&self, screen: &Screen) -> String {
        if self.is_empty() {
            return String::new();
        }
        let cells = |column: usize| self.rows.iter().map(move |row| row[column].as_str());
        let width = |column: usize| cells(column).chain([self.headings[column]]).map(UnicodeWidthStr::width).max();
        let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let right: [bool; N] = std::array::from_fn(|column| cells(column).all(is_number));
        let mut text = screen.heading(&line(&self.headings, &widths, &right));
        text.push('\n');
        for row in &self.rows {
            text.push_str(&line(row, &widths, &right));
            text.push('\n');
        }
        text
    }
}

fn line<const N: usize>(cells: &[impl AsRef<str>; N], widths: &[usize; N], right: &[bool; N]) -> String {
    let mut line = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let cell = cell.as_ref();
        let gap = " ".repeat(widths[column].saturating_sub(cell.width()));
        let (before, after) = if right[column] { (gap.as_str(), "") } else { ("", gap.as_str()) };
        line.push_str(if column == 0 { "" } else { "  " });
        line.extend([before, cell, after]);
    }
    line.truncate(line.trim_end().len());
    line
}

fn is_number(cell: &str) -> bool {
    cell == "-" || (!cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b','))
}

/// Text that stays on its line, whatever a record says.
pub(super) fn plain(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|letter| if letter.is_control() { letter.escape_default().to_string() } else { letter.into() })
        .collect()
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things.
pub(super) fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// At most so many columns of a text, its end told by a sign.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for letter in text.chars() {
        let mut sign = [0; 4];
        if cut.width() + letter.encode_utf8(&mut sign).width() + 1 > columns {
            break;
        }
        cut.push(letter);
    }
    cut + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(
            (things(1, "record", "records").as_str(), things(2, "record", "records").as_str()),
            ("1 record", "2 records")
        );
    }

    #[test]
    fn wide_letters_count_as_they_are_seen() {
        assert_eq!(line(&["注文", "7"], &[6, 3], &[false, true]), "注文      7");
        assert_eq!(
            (cut("abcdef", 4).as_str(), cut("注文注文", 5).as_str(), cut("abc", 3).as_str()),
            ("abc…", "注文…", "abc")
        );
    }

    #[test]
    fn no_cell_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}
