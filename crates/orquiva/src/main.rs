//! The command line.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use orquiva::listen::Listen;
use orquiva::operator::{self, AdminCommand, ClientCommand, CompanyCommand, KeyCommand};
use orquiva::settings::{Data, Log, LogFormat, Network};
use orquiva::trigger::Trigger;
use orquiva::wiring::Base;
use orquiva::{demo, listen, serve, trigger};
use orquiva_core::Clock;
use orquiva_core::chance::SystemChance;
use orquiva_core::id::Mint;
use orquiva_core::time::SystemClock;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Orquiva, the HR platform API: employees in, events out.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    log: Log,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API, and deliver webhooks
    Serve(Network),
    /// Show the main job at work: token, hire, signed webhook, write-back; then stay up to try it by hand
    Demo {
        #[command(flatten)]
        network: Network,
        /// End after the walk; the status says whether all of it worked
        #[arg(long)]
        exit: bool,
    },
    /// Show a server's events as they happen, and post them, signed as webhooks are, to a program on this machine
    Listen(Listen),
    /// Make an event happen, for whoever builds a receiver: someone made-up is hired, and removed again
    Trigger(Trigger),
    /// Companies
    #[command(subcommand)]
    Company(CompanyCommand),
    /// Who runs a company in the console
    #[command(subcommand)]
    Admin(AdminCommand),
    /// API clients
    #[command(subcommand)]
    Client(ClientCommand),
    /// Signing keys of access tokens
    #[command(subcommand)]
    Key(KeyCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli.log, matches!(cli.command, Command::Serve(_)));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "why a command failed is for whoever typed it")]
            {
                eprintln!("orquiva: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(network) => serve::serve(&cli.data, &network).await,
        Command::Demo { network, exit } => demo::demo(&cli.data, &network, exit).await,
        Command::Listen(wanted) => {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
            let mint = Mint::new(clock.clone(), Arc::new(SystemChance));
            listen::listen(wanted, clock, &mint, cli.json).await
        }
        Command::Trigger(wanted) => trigger::trigger(wanted, &SystemClock::default(), cli.json).await,
        Command::Company(command) => {
            operator::company_command(&Base::open(&cli.data).await?, command, cli.json).await
        }
        Command::Admin(command) => {
            operator::admin_command(&Base::open(&cli.data).await?, command, cli.json).await
        }
        Command::Client(command) => {
            operator::client_command(&Base::open(&cli.data).await?, command, cli.json).await
        }
        Command::Key(KeyCommand::Rotate) => {
            let node = Base::open(&cli.data).await?.node(String::new(), false).await?;
            node.tokens.rotate().await.map_err(Into::into)
        }
    }
}

/// Standard error carries the log; a server says more than a command.
fn start_log(settings: &Log, serving: bool) {
    let default = if serving { "info" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::new(settings.log.as_deref().unwrap_or(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    match settings.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
