//! Orquiva's benchmarks: the real server over loopback HTTP, on both engines, each figure beside what the machine
//! could do at best in the same run, and a ledger at the end that says whether anything was lost.

mod backlog;
mod bare;
mod batches;
mod bench;
mod child;
mod console;
mod crowd;
mod fill;
mod growth;
mod kills;
mod lab;
mod ledger;
mod load;
mod machine;
mod open_loop;
mod poster;
mod postgres;
mod receipts;
mod receiver;
mod rows;
mod scenarios;
mod server;
mod statements;
mod table;
mod trouble;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::rc::Rc;

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::{Bench, Pace, Place, folders};
use crate::postgres::Postgres;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the server beside the limits of this machine
///
/// PostgreSQL is the one that ORQUIVA_BENCH_POSTGRES=postgres://… names, or one that is started for the run.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
    /// On these engines alone
    #[arg(long, value_delimiter = ',')]
    only: Vec<Engine>,
    /// These scenarios alone
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Length of one side of a round
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=10))]
    seconds: u64,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    rounds: u64,
    /// Only how reads grow: over so many people in companies of 100, and in one of a tenth of them (a million: minutes)
    #[arg(long, value_name = "PEOPLE", value_parser = clap::value_parser!(u64).range(10_000..=10_000_000))]
    growth: Option<u64>,
    /// Deliveries that wait for a dead endpoint in the scenario `pending`; the figure to judge by is 1000000
    #[arg(long, default_value_t = 20_000)]
    pending: usize,
    /// How often the server is killed in the scenario `kills`
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Go through the scenarios with a debug build, whose figures mean nothing
    #[arg(long, hide = true)]
    unmeasured: bool,
    /// Write the table into this file instead of printing it
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What a child of this program does.
#[derive(Subcommand)]
enum Task {
    /// The bare HTTP server
    #[command(hide = true)]
    LimitHttp { length: usize },
    /// The receiver of webhooks
    #[command(hide = true)]
    Receiver { ports: usize },
    /// Receivers that misbehave
    #[command(hide = true)]
    Hostile { manners: String },
    /// The client that only signs and posts
    #[command(hide = true)]
    LimitPost { ports: String },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// POST /oauth/token
    Tokens,
    /// GET /v1/employees/{id}
    Get,
    /// GET /v1/employees?limit=50
    List,
    /// How soon a hire is answered and received, at 100 and at 500 a second
    Latency,
    /// POST /v1/employees, in many companies and in one
    Hire,
    /// POST /v1/employees/batch, beside the same hires one by one
    Batch,
    /// Deliveries to 1 and to 10 endpoints a company
    Receipt,
    /// Memory, and time to start
    Memory,
    /// One of ten endpoints takes requests and never answers
    Hang,
    /// Receivers that misbehave in every way there is, beside healthy ones
    Hostile,
    /// Deliveries that wait for a dead endpoint (--pending)
    Pending,
    /// More hires than can be delivered
    Overload,
    /// kill -9 again and again (--kills)
    Kills,
    /// SQL statements a delivery (PostgreSQL started for the run, and only if it is asked for by name)
    Statements,
    /// Each page of the console over 100,000 people and a million deliveries (only if it alone is asked for by name)
    Console,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("orquiva-bench: the ledger does not balance");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("orquiva-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<bool> {
    let mut runtime = match cli.task {
        Some(Task::LimitHttp { .. } | Task::LimitPost { .. }) => tokio::runtime::Builder::new_multi_thread(),
        // One thread makes the load, and one receives: that is cheaper than two that share the work.
        Some(Task::Receiver { .. } | Task::Hostile { .. }) | None => {
            tokio::runtime::Builder::new_current_thread()
        }
    };
    let runtime = runtime.enable_all().build()?;
    match cli.task {
        Some(Task::LimitHttp { length }) => runtime.block_on(bare::serve(length)).map(|()| true),
        Some(Task::Receiver { ports }) => runtime.block_on(receiver::run(ports)).map(|()| true),
        Some(Task::Hostile { ref manners }) => runtime.block_on(trouble::serve(manners)).map(|()| true),
        Some(Task::LimitPost { ref ports }) => runtime.block_on(poster::run(ports)).map(|()| true),
        None => runtime.block_on(async {
            tokio::select! {
                measured = measure(&cli) => measured,
                stopped = asked_to_stop() => stopped.map(|()| false),
            }
        }),
    }
}

/// Ends the run in good order, so that no server is left behind.
async fn asked_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    anyhow::bail!("stopped")
}

/// Measures what was asked for; whether every ledger balances.
async fn measure(cli: &Cli) -> anyhow::Result<bool> {
    let (folder, target) = folders()?;
    let program = build_server(&folder, cli.unmeasured)?;
    let mut text = heading(&program, &target)?;
    let mut balances = true;
    let wanted = |engine| cli.only.is_empty() || cli.only.contains(&engine);
    if wanted(Engine::Sqlite) {
        let place = Place { program: program.clone(), target: target.clone(), postgres: None };
        balances &= measure_engine(cli, place, &format!("SQLite {}", rusqlite::version()), &mut text).await?;
    }
    if wanted(Engine::Postgres) {
        match Postgres::open(&target, cli.scenario.contains(&Scenario::Statements)).await? {
            Some(postgres) => {
                let postgres = Rc::new(postgres);
                let title = format!("PostgreSQL {}", postgres.version);
                let place = Place { program, target, postgres: Some(postgres.clone()) };
                balances &= measure_engine(cli, place, &title, &mut text).await?;
                postgres.clean().await?;
            }
            None => {
                let skipped = "PostgreSQL is not installed here, so it was not measured.";
                eprintln!("{skipped}");
                text.push_str(&format!("\n## PostgreSQL\n\n{skipped}\n"));
            }
        }
    }
    show(cli, &text)?;
    Ok(balances)
}

/// The server beside this program. Under `cargo run` it is built first, so that it is never an old one.
fn build_server(folder: &Path, unmeasured: bool) -> anyhow::Result<PathBuf> {
    ensure!(
        unmeasured || !cfg!(debug_assertions),
        "only a release build is worth measuring: cargo run --release -p orquiva-bench"
    );
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "-p", "orquiva"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let built = command.status()?;
        ensure!(built.success(), "the server cannot be built: cargo build --release -p orquiva");
    }
    let program = folder.join("orquiva");
    let missing =
        || format!("the server is missing in {}: cargo build --release -p orquiva", folder.display());
    ensure!(program.is_file(), missing());
    Ok(program)
}

/// Runs the scenarios on one engine and adds its table to `text`.
async fn measure_engine(cli: &Cli, place: Place, title: &str, text: &mut String) -> anyhow::Result<bool> {
    eprintln!("{title}: setting up");
    let pace = Pace { seconds: cli.seconds, rounds: usize::try_from(cli.rounds)? };
    if let Some(people) = cli.growth {
        let rows = growth::growth(&place, pace, people).await?;
        text.push_str(&table::table(title, &rows, &[]));
        return Ok(true);
    }
    if cli.scenario == [Scenario::Console] {
        let rows = console::console(&place).await?;
        text.push_str(&table::table(title, &rows, &[]));
        return Ok(true);
    }
    let mut bench = Bench::set_up(place, pace).await?;
    let mut rows = Vec::new();
    for scenario in Scenario::value_variants() {
        if !cli.scenario.is_empty() && !cli.scenario.contains(scenario) {
            continue;
        }
        eprintln!("{title}: {scenario:?}");
        let bench = &mut bench;
        let measured = match scenario {
            Scenario::Tokens => scenarios::tokens(bench).await,
            Scenario::Get => scenarios::get(bench).await,
            Scenario::List => scenarios::list(bench).await,
            Scenario::Latency => receipts::latency(bench).await,
            Scenario::Hire => scenarios::hire(bench).await,
            Scenario::Batch => batches::batch(bench).await,
            Scenario::Receipt => receipts::receipts(bench).await,
            Scenario::Memory => scenarios::memory_and_start(bench).await,
            Scenario::Hang => trouble::hang(bench).await,
            Scenario::Hostile => trouble::hostile(bench).await,
            Scenario::Pending => backlog::pending(bench, cli.pending).await,
            Scenario::Overload => backlog::overload(bench).await,
            Scenario::Kills => kills::kills(bench, cli.kills).await,
            Scenario::Statements if cli.scenario.is_empty() => Ok(Vec::new()),
            Scenario::Statements => statements::statements(bench).await,
            Scenario::Console => Ok(Vec::new()),
        };
        let failed = || format!("{title}: {scenario:?} failed. {}", bench.complaints().join("\n"));
        rows.extend(measured.with_context(failed)?);
    }
    bench.settle_deliveries().await?;
    let (mut remarks, balances) = bench.ledger.close(&bench.database).await?;
    for remark in &remarks {
        eprintln!("{remark}");
    }
    remarks.extend(bench.complaints());
    text.push_str(&table::table(title, &rows, &remarks));
    Ok(balances)
}

/// What was measured, on what, and how to do it again.
fn heading(program: &Path, target: &Path) -> anyhow::Result<String> {
    let version = Command::new(program).arg("--version").output()?.stdout;
    let version = String::from_utf8_lossy(&version);
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    // Where the table went is no part of how to get it.
    if let Some(at) = args.iter().position(|arg| arg.starts_with("--out")) {
        let end = if args[at] == "--out" { at + 2 } else { at + 1 };
        args.drain(at..end.min(args.len()));
    }
    let command = format!("cargo run --release -p orquiva-bench -- {}", args.join(" "));
    Ok(format!(
        "# Measured\n\n- Machine: {}\n- Version: {}\n- Command: `{}`\n\n\
         Load generator, servers and limits share the machine; each limit ran in turn with ours, so judge by the ratios \
         and by CPU time. {} clients with kept-alive connections; medians over the rounds. CPU is that of the server \
         with all processes of PostgreSQL, the making of the load apart. Everything durable: fsync at each commit. \
         A target that begins with `aim` is the architecture's.\n",
        machine::describe(target)?,
        version.trim(),
        command.trim_end_matches([' ', '-']),
        load::CLIENTS,
    ))
}

#[expect(clippy::print_stdout, reason = "the table is this program's answer")]
fn show(cli: &Cli, text: &str) -> anyhow::Result<()> {
    match &cli.out {
        Some(file) => {
            std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
        }
        None => {
            println!("{text}");
            Ok(())
        }
    }
}
