//! Where the demonstration writes: a block redrawn in place on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{self, Write};

/// Whether what was written can be redrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Display {
    /// A terminal: the table is redrawn in place.
    Redrawn,
    /// A file or a pipe: a line a second.
    Lines,
}

impl Display {
    /// The display that fits `output`.
    pub(super) fn of(output: &impl io::IsTerminal) -> Self {
        if output.is_terminal() { Self::Redrawn } else { Self::Lines }
    }
}

/// The most recent events that stay in view below the table.
const EVENTS: usize = 8;

/// What is shown each second.
#[derive(Debug)]
pub(super) struct Frame {
    /// When this is.
    pub(super) time: String,
    /// The time, the offered rate and what went wrong, in one line.
    pub(super) title: String,
    /// The table, line by line.
    pub(super) table: Vec<String>,
    /// All of it in one line.
    pub(super) line: String,
    /// What is new.
    pub(super) events: Vec<String>,
}

/// The place where frames are shown.
#[derive(Debug)]
pub(super) struct Screen<W> {
    out: W,
    display: Display,
    events: VecDeque<String>,
    drawn: usize,
}

impl<W: Write> Screen<W> {
    /// A screen on `out`.
    pub(super) fn new(out: W, display: Display) -> Self {
        Self { out, display, events: VecDeque::new(), drawn: 0 }
    }

    /// Writes lines that stay.
    ///
    /// # Errors
    /// As the output has them.
    pub(super) fn say(&mut self, lines: &[String]) -> io::Result<()> {
        self.drawn = 0;
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        self.out.flush()
    }

    /// Shows a frame, in place of the one before where the display can.
    ///
    /// # Errors
    /// As the output has them.
    pub(super) fn show(&mut self, frame: Frame) -> io::Result<()> {
        match self.display {
            Display::Redrawn => self.redraw(frame),
            Display::Lines => {
                let event = |event: &String| format!("{}  event: {event}", frame.time);
                let lines: Vec<_> = frame.events.iter().map(event).collect();
                self.say(&lines)?;
                self.say(&[frame.line])
            }
        }
    }

    fn redraw(&mut self, frame: Frame) -> io::Result<()> {
        self.events.extend(frame.events.into_iter().map(|event| format!("{}  {event}", frame.time)));
        while self.events.len() > EVENTS {
            self.events.pop_front();
        }
        let lines: Vec<&String> = std::iter::once(&frame.title).chain(&frame.table).chain(&self.events).collect();
        // Wrapped lines would make the block taller than counted; so wrapping is off while it is drawn.
        write!(self.out, "\x1b[?7l")?;
        if self.drawn > 0 {
            write!(self.out, "\x1b[{}A\r\x1b[J", self.drawn)?;
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        write!(self.out, "\x1b[?7h")?;
        self.drawn = lines.len();
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(time: &str, events: &[&str]) -> Frame {
        Frame {
            time: time.to_owned(),
            title: format!("{time} offered"),
            table: vec!["head".to_owned(), "row".to_owned()],
            line: "row".to_owned(),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
        }
    }

    #[test]
    fn a_terminal_is_redrawn_in_place() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, Display::Redrawn);
        screen.show(frame("1 s", &["full"])).expect("a vector takes all");
        screen.show(frame("2 s", &[])).expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "\x1b[?7l1 s offered\nhead\nrow\n1 s  full\n\x1b[?7h\x1b[?7l\x1b[4A\r\x1b[J2 s offered\nhead\nrow\n1 s  full\n\x1b[?7h"
        );
    }

    #[test]
    fn what_is_said_stays() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, Display::Redrawn);
        screen.show(frame("1 s", &[])).expect("a vector takes all");
        screen.say(&["done".to_owned()]).expect("a vector takes all");
        screen.show(frame("2 s", &[])).expect("a vector takes all");
        assert!(String::from_utf8(out).expect("text").ends_with("done\n\x1b[?7l2 s offered\nhead\nrow\n\x1b[?7h"));
    }

    #[test]
    fn a_pipe_gets_plain_lines() {
        let mut out = Vec::new();
        Screen::new(&mut out, Display::Lines).show(frame("1 s", &["full"])).expect("a vector takes all");
        assert_eq!(String::from_utf8(out).expect("text"), "1 s  event: full\nrow\n");
    }
}
