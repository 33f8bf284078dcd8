//! Nothing is created in an account before a person, or `--yes`, has agreed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;
use crate::signals::Signals;
use crate::stdio::remark;

/// Whether there is anybody to ask, if one has to.
///
/// # Errors
/// When nobody can be asked.
pub(super) fn can_be_had(yes: bool) -> Result<(), Failure> {
    if yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("nobody can be asked whether resources may be created: add --yes"))
}

/// Asks on the terminal.
///
/// # Errors
/// When the answer is not yes, or Ctrl-C.
pub(super) async fn ask(question: &str, signals: &mut Signals) -> anyhow::Result<()> {
    let prompt = format!("{question} [y/N] ");
    let mut stderr = std::io::stderr();
    stderr.write_all(prompt.as_bytes())?;
    stderr.flush()?;
    // A thread that may block, and holds nothing but standard input: it is left alone when the command ends.
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        answer = answer => answer??,
        () = signals.next() => {
            // Ends the line of the question.
            remark("");
            String::new()
        }
    };
    if is_yes(&line) { Ok(()) } else { Err(Failure::refused("nothing was created").into()) }
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
