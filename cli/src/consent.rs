//! Consent: nothing is created or changed in an account before a person, or `--yes`, has agreed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;
use crate::signals::Signals;
use crate::stdio::remark;

/// Checks that consent is given, or that there is a terminal to ask on.
///
/// # Errors
/// When there is neither.
pub(crate) fn can_be_had(yes: bool) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("a change of an account needs consent and there is no terminal to ask on: add --yes"))
}

/// Asks for consent on the terminal.
///
/// # Errors
/// When the answer is not yes, or on Ctrl-C.
pub(crate) async fn ask(question: &str, signals: &mut Signals) -> anyhow::Result<()> {
    let agreed = tokio::select! {
        agreed = agrees(question) => agreed?,
        () = signals.next() => {
            // Terminates the line with the question.
            remark("");
            false
        }
    };
    if agreed { Ok(()) } else { Err(Failure::refused("nothing was created").into()) }
}

/// Asks on the terminal, and returns whether the answer is yes. Whoever drops the future has no answer.
///
/// # Errors
/// When the terminal cannot be read or written.
pub(crate) async fn agrees(question: &str) -> anyhow::Result<bool> {
    let prompt = format!("{question} [y/N] ");
    let mut stderr = std::io::stderr();
    stderr.write_all(prompt.as_bytes())?;
    stderr.flush()?;
    // The thread may block forever; it holds nothing but standard input, so it may outlive the command.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    Ok(is_yes(&answer.await??))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" Yes \n"));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("no\n") && !is_yes("yesterday\n"));
    }
}
