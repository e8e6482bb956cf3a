//! The machine: its clock, its processes, what they use, and what it is.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Linux shows CPU time in hundredths of a second (`USER_HZ`), whatever its own tick is.
const TICKS: f64 = 100.0;

/// How long a process has to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time: the one home of its clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A child that is asked to end when it is dropped, so that nothing outlives the benchmark.
pub(crate) struct Process {
    child: Child,
    signal: &'static str,
}

impl Process {
    /// Takes charge of a child that ends on `signal`.
    pub(crate) fn new(child: Child, signal: &'static str) -> Self {
        Self { child, signal }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill()); // it may be dead already
        drop(self.child.wait());
    }

    /// Asks it to end and waits; a second time does nothing.
    pub(crate) fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let kill = format!("kill -{} {}", self.signal, self.child.id());
        drop(Command::new("sh").args(["-c", &kill]).status());
        let asked = now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > PATIENCE {
                drop(self.child.kill());
                drop(self.child.wait());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whose CPU time is counted: servers, each with all its descendants, and what makes the load.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    pub(crate) servers: Vec<u32>,
    pub(crate) generators: Vec<u32>,
}

/// Seconds of CPU.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) servers: f64,
    pub(crate) generators: f64,
}

impl Meter {
    /// What was used until now. This program is always one of the generators.
    pub(crate) fn read(&self) -> anyhow::Result<Used> {
        let parents = parents()?;
        let servers: anyhow::Result<f64> =
            self.servers.iter().map(|pid| cpu_of_tree(*pid, &parents)).sum::<anyhow::Result<f64>>();
        let generators = self.generators.iter().map(|pid| cpu(*pid)).sum::<anyhow::Result<f64>>()?;
        Ok(Used { servers: servers?, generators: generators + cpu(std::process::id())? })
    }

    /// What was used since `before`.
    pub(crate) fn since(&self, before: Used) -> anyhow::Result<Used> {
        let after = self.read()?;
        Ok(Used { servers: after.servers - before.servers, generators: after.generators - before.generators })
    }
}

/// Seconds of CPU of a process, those of its children that have ended included.
fn cpu(pid: u32) -> anyhow::Result<f64> {
    let fields = stat(pid).with_context(|| format!("process {pid} is gone"))?;
    let ticks: u64 = fields.iter().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS)
}

/// The same of a process and all its descendants. What a child used passes to its parent when it ends,
/// so nothing is lost or counted twice.
fn cpu_of_tree(root: u32, parents: &HashMap<u32, u32>) -> anyhow::Result<f64> {
    let descends = |mut pid: u32| loop {
        match parents.get(&pid) {
            Some(parent) if *parent == root => return true,
            Some(parent) if *parent > 1 => pid = *parent,
            Some(_) | None => return false,
        }
    };
    let below = parents.keys().filter(|pid| descends(**pid));
    Ok(cpu(root)? + below.filter_map(|pid| cpu(*pid).ok()).sum::<f64>())
}

fn parents() -> anyhow::Result<HashMap<u32, u32>> {
    let pids = fs::read_dir("/proc").context("this needs Linux")?;
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Ok(pids.filter_map(|pid| Some((pid, parent(pid)?))).collect())
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The fields of `/proc/PID/stat` after the name, which may hold anything.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Memory of a process in MiB: `VmRSS` now, `VmHWM` at its most.
pub(crate) fn memory(pid: u32, name: &str) -> anyhow::Result<f64> {
    let file = format!("/proc/{pid}/status");
    let kibibytes = field(&file, name).with_context(|| format!("{file} has no {name}"))?;
    Ok(kibibytes.trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}

/// One line about the machine; nothing in it tells whose it is.
pub(crate) fn describe(folder: &Path) -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let memory = memory.trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0 / 1024.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (disk, sync) = (file_system(folder)?, sync_time(folder)?);
    let kernel = kernel.trim();
    Ok(format!(
        "{cores} cores ({model}), {memory:.0} GiB, Linux {kernel}, {disk}, write and fdatasync of 4 KiB {:.2} ms",
        sync.as_secs_f64() * 1000.0
    ))
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.map(|value| value.trim().to_owned())
}

/// The kind of file system that a folder lies on.
fn file_system(folder: &Path) -> anyhow::Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let longest = mounts.filter(|(at, _)| folder.starts_with(at)).max_by_key(|(at, _)| at.len());
    Ok(longest.map_or("unknown file system", |(_, kind)| kind).to_owned())
}

/// The median time of a small durable write: what a commit alone costs at least.
fn sync_time(folder: &Path) -> anyhow::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..201 {
        let start = now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
