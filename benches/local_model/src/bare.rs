//! Python's onnxruntime as a process, in an environment of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

/// The library's version is the one that obtain.py pins for the router.
const PACKAGES: [&str; 3] = ["onnxruntime==1.28.0", "numpy", "tokenizers"];

/// The interpreter of an environment with onnxruntime, made in `folder` where it is not there.
///
/// # Errors
/// If Python or its packages cannot be had.
pub(crate) fn environment(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let (python, made) = (folder.join("bin/python"), folder.join("made"));
    if !made.is_file() {
        println!("making an environment with {} (once)", PACKAGES.join(", "));
        succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        succeed(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                .args(PACKAGES),
        )?;
        std::fs::write(made, "")?;
    }
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// A session in Python. Ended when it goes out of scope.
pub(crate) struct Bare {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Seconds.
#[derive(Deserialize)]
struct Answer {
    cpu: f64,
    each: f64,
}

impl Bare {
    pub(crate) fn start(python: &Path, folder: &Path, file: &str) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(python)
            .args(["-c", include_str!("bare.py")])
            .arg(folder)
            .arg(file)
            .env("ORT_DISABLE_TELEMETRY", "1")
            .env("OMP_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the child has no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("the child has no output")?);
        let mut bare = Self { child, input, output };
        bare.line()?;
        Ok(bare)
    }

    /// Milliseconds on a core for each text of `corpus`, in batches of `batch`.
    pub(crate) fn packed(&mut self, corpus: &[String], batch: usize) -> Result<f64, Box<dyn Error>> {
        let answer = self.ask(&serde_json::json!({ "texts": corpus, "batch": batch }))?;
        let texts = u32::try_from(corpus.len())?;
        Ok(answer.cpu * 1000.0 / f64::from(texts))
    }

    /// Milliseconds of one text for about `seconds`: until it is done, in the middle of all, and on a core.
    pub(crate) fn single(&mut self, text: &str, seconds: f64) -> Result<(f64, f64), Box<dyn Error>> {
        let once = self.ask(&serde_json::json!({ "single": text, "times": 5 }))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands at most")]
        let times = (seconds / once.each.max(1e-4)) as u32 + 1;
        let answer = self.ask(&serde_json::json!({ "single": text, "times": times }))?;
        Ok((answer.each * 1000.0, answer.cpu * 1000.0 / f64::from(times)))
    }

    fn ask(&mut self, question: &serde_json::Value) -> Result<Answer, Box<dyn Error>> {
        writeln!(self.input, "{question}")?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("Python ended; what it said stands above".into());
        }
        Ok(line)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
