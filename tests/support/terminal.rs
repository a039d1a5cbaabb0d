//! A terminal for a program's standard error, and what the program drew on it.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Output, Stdio};

use nix::pty::{Winsize, openpty};

/// Columns that a terminal has where nobody has made it wider.
pub(crate) const COLUMNS: u16 = 80;

/// Runs `command` to its end with a terminal for its standard error. Of the outcome, `stderr` is what it wrote there.
pub(crate) async fn output_on_terminal(mut command: Command) -> Output {
    let run = move || {
        let size = Winsize { ws_row: 24, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).unwrap();
        command.env("TERM", "xterm-256color").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(terminal.slave);
        let child = command.spawn().unwrap();
        // The other end is the program's alone, so that its end is the drawing's.
        drop(command);
        let reader = std::thread::spawn(move || drawn(terminal.master.into()));
        let output = child.wait_with_output().unwrap();
        Output { stderr: reader.join().unwrap(), ..output }
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Everything until nobody has the terminal open any more, which Linux calls an error.
fn drawn(mut terminal: File) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = terminal.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
    }
    bytes
}

/// The lines that stood on the terminal one after the other, without what moves the cursor and colours them.
pub(crate) fn frames(drawn: &[u8]) -> Vec<String> {
    let text = String::from_utf8(drawn.to_vec()).unwrap();
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                rest.find(char::is_ascii_alphabetic);
                plain.push('\n');
            }
            '\r' => plain.push('\n'),
            c => plain.push(c),
        }
    }
    plain.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}
