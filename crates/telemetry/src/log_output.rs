//! Where log lines are written. Under load many lines leave with one write: a system call for each would be much of what a
//! line costs.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a line waits for others, unless somebody asks for it: it would not be noticed by anybody who reads along.
const PAUSE: Duration = Duration::from_millis(10);

/// The most bytes that wait.
const MOST_WAITING: usize = 32 * 1024;

/// Writes lines to `W`, together if they come in quick succession.
pub(crate) struct Output<W> {
    state: Mutex<State<W>>,
    /// There are lines for the thread to write.
    waiting: Condvar,
}

struct State<W> {
    writer: W,
    lines: Vec<u8>,
    last_write: Option<Instant>,
    /// Whether the thread knows that there are lines.
    told: bool,
    /// Whether lines may wait: only while there is a thread to write them.
    gathers: bool,
}

impl<W: Write> State<W> {
    /// Writes what waits. If that fails, there is nowhere to report it.
    fn flush(&mut self) {
        if !self.lines.is_empty() {
            drop(self.writer.write_all(&self.lines).and_then(|()| self.writer.flush()));
            self.lines.clear();
            self.last_write = Some(Instant::now());
        }
    }
}

impl<W: Write> Output<W> {
    /// Creates an output that writes each line at once.
    pub(crate) fn new(writer: W) -> Self {
        let state = State { writer, lines: Vec::new(), last_write: None, told: false, gathers: false };
        Self { state: Mutex::new(state), waiting: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        // Nothing panics while holding the lock but a writer, and then the lines are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line: at once if it is `urgent` or the first after a pause, otherwise with others within [`PAUSE`].
    pub(crate) fn write(&self, line: &[u8], urgent: bool) {
        let mut state = self.lock();
        state.lines.extend_from_slice(line);
        let gathers = state.gathers && !urgent && state.lines.len() < MOST_WAITING;
        if !gathers || state.last_write.is_none_or(|last| last.elapsed() >= PAUSE) {
            state.flush();
        } else if !std::mem::replace(&mut state.told, true) {
            self.waiting.notify_one();
        }
    }

    /// Writes the lines that wait, every [`PAUSE`] while there are any, until [`end`](Self::end).
    fn write_what_waits(&self) {
        let mut state = self.lock();
        while state.gathers {
            if state.lines.is_empty() {
                state.told = false;
                state = self.waiting.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                state = self.waiting.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
                state.flush();
            }
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        state.gathers = false;
        state.flush();
        self.waiting.notify_one();
    }
}

/// The log lines that have not been written yet.
pub(crate) trait Lines: Send + Sync {
    /// Writes them.
    fn flush(&self);
    /// Writes them, and from now on each line at once.
    fn end(&self);
}

impl<W: Write + Send> Lines for Output<W> {
    fn flush(&self) {
        self.lock().flush();
    }

    fn end(&self) {
        Self::end(self);
    }
}

/// Lets lines wait for others, until this is dropped.
pub(crate) struct Gathering(Arc<dyn Lines>);

impl Gathering {
    /// Starts the thread that writes lines which have waited long enough.
    pub(crate) fn start<W: Write + Send + 'static>(output: &Arc<Output<W>>) -> std::io::Result<Self> {
        output.lock().gathers = true;
        let gathering = Self(Arc::clone(output) as Arc<dyn Lines>);
        let output = Arc::clone(output);
        thread::Builder::new().name("log-lines".to_owned()).spawn(move || output.write_what_waits())?;
        Ok(gathering)
    }

    pub(crate) fn lines(&self) -> &Arc<dyn Lines> {
        &self.0
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gathering")
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// Sends what each write wrote.
    struct Writes(Sender<String>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn output() -> (Arc<Output<Writes>>, Receiver<String>) {
        let (writes, written) = mpsc::channel();
        (Arc::new(Output::new(Writes(writes))), written)
    }

    #[test]
    fn without_the_thread_each_line_is_written_at_once() {
        let (output, written) = output();
        output.write(b"a\n", false);
        output.write(b"b\n", false);
        assert_eq!(written.try_iter().collect::<Vec<_>>(), ["a\n", "b\n"]);
    }

    #[test]
    fn a_lone_line_is_written_at_once_and_those_that_follow_soon_together() {
        let (output, written) = output();
        let _gathering = Gathering::start(&output).unwrap();
        output.write(b"a\n", false);
        assert_eq!(written.try_recv().unwrap(), "a\n");
        // As if the line before had just been written, however slow this machine is.
        output.lock().last_write = Some(Instant::now() + Duration::from_mins(1));
        output.write(b"b\n", false);
        output.lock().last_write = Some(Instant::now() + Duration::from_mins(1));
        output.write(b"c\n", false);
        let mut rest = String::new();
        while rest.len() < 4 {
            rest.push_str(&written.recv_timeout(Duration::from_secs(10)).unwrap());
        }
        assert_eq!(rest, "b\nc\n");
    }

    #[test]
    fn an_urgent_line_takes_along_what_waits_and_so_does_the_end() {
        let (output, written) = output();
        // Without its thread, so that nothing else writes.
        let gathering = Gathering(Arc::clone(&output) as Arc<dyn Lines>);
        {
            let mut state = output.lock();
            (state.gathers, state.last_write) = (true, Some(Instant::now() + Duration::from_mins(1)));
        }
        output.write(b"a\n", false);
        assert!(written.try_recv().is_err());
        output.write(b"b\n", true);
        assert_eq!(written.try_recv().unwrap(), "a\nb\n");
        output.lock().last_write = Some(Instant::now() + Duration::from_mins(1));
        output.write(b"c\n", false);
        gathering.lines().flush();
        assert_eq!(written.try_recv().unwrap(), "c\n");
        output.lock().last_write = Some(Instant::now() + Duration::from_mins(1));
        output.write(b"d\n", false);
        drop(gathering);
        assert_eq!(written.try_recv().unwrap(), "d\n");
        output.write(b"e\n", false);
        assert_eq!(written.try_recv().unwrap(), "e\n");
    }

    #[test]
    fn no_more_waits_than_fits() {
        let (output, written) = output();
        {
            let mut state = output.lock();
            (state.gathers, state.last_write) = (true, Some(Instant::now() + Duration::from_mins(1)));
        }
        let line = vec![b'a'; MOST_WAITING / 2];
        output.write(&line, false);
        assert!(written.try_recv().is_err());
        output.write(&line, false);
        assert_eq!(written.try_recv().unwrap().len(), MOST_WAITING);
    }
}
