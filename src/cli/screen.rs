//! The terminal: how large it is, how a screen is drawn over the one before, and which progress bar is drawn
//! now, so that no line lands in it.
//! Owns the control sequences that the program itself sends to it.

#![allow(
    clippy::print_stdout,
    reason = "a screen is drawn without the line breaks of a result"
)]

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use rustix::termios::tcgetwinsize;

use crate::foreign;

/// What a terminal has that does not tell its size.
const USUAL: Size = Size {
    columns: 80,
    lines: 24,
};

/// Home, then erase to the end of the screen.
const OVER: &str = "\u{1b}[H\u{1b}[J";

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub lines: usize,
}

/// The size of the terminal that results go to; `None` if they go elsewhere.
pub fn size() -> Option<Size> {
    size_of(&std::io::stdout())
}

/// How many columns this stream's terminal has; `None` if it is none.
pub fn width_of(stream: &(impl AsFd + IsTerminal)) -> Option<usize> {
    size_of(stream).map(|size| size.columns)
}

fn size_of(stream: &(impl AsFd + IsTerminal)) -> Option<Size> {
    if !stream.is_terminal() {
        return None;
    }
    let told = tcgetwinsize(stream).ok().map(|size| Size {
        columns: size.ws_col.into(),
        lines: size.ws_row.into(),
    });
    Some(
        told.filter(|size| size.columns > 0 && size.lines > 0)
            .unwrap_or(USUAL),
    )
}

/// How many columns a result may take: those of the terminal, else what COLUMNS says; `None` if nothing
/// limits it.
pub fn columns() -> Option<usize> {
    match size() {
        Some(size) => Some(size.columns),
        None => std::env::var("COLUMNS").ok()?.parse().ok(),
    }
}

/// Draws a text over what the terminal shows, as many of its lines as there is room for.
pub fn draw(text: &str) {
    let room = size().unwrap_or(USUAL).lines.saturating_sub(1);
    let text: Vec<&str> = text.lines().take(room).collect();
    let mut out = std::io::stdout().lock();
    // A terminal that is gone is no error of ours.
    let _ = writeln!(out, "{OVER}{}", foreign::lines(&text.join("\n")));
    let _ = out.flush();
}

/// The bar that is drawn on stderr now.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// From now on this bar is drawn; `None` if none is.
pub fn draws(bar: Option<&ProgressBar>) {
    let mut drawn = BAR.lock().unwrap_or_else(PoisonError::into_inner);
    *drawn = bar.cloned();
}

/// Writes lines to stderr, above the bar if one is drawn.
pub fn above_the_bar<T>(write: impl FnOnce() -> T) -> T {
    let drawn = {
        let drawn = BAR.lock().unwrap_or_else(PoisonError::into_inner);
        drawn.clone()
    };
    match drawn {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
