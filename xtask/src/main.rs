//! The project's own chores: `cargo xtask test` checks everything, `cargo xtask postgres` starts a PostgreSQL to try things on.
#![expect(clippy::print_stdout, reason = "a chore talks to whoever started it")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use xtask::{Postgres, Watch, tools};

const USAGE: &str = "cargo xtask test [--only STEP[,STEP…]]   check everything, or only these steps
cargo xtask postgres                     start a throw-away PostgreSQL and keep it until Ctrl-C
";

/// A step and its name.
type Step = (&'static str, fn(&mut Run) -> anyhow::Result<()>);

/// The steps of `cargo xtask test`, in order.
const STEPS: &[Step] = &[
    ("format", |run| run.cargo(&["fmt", "--all", "--check"])),
    ("lint", |run| run.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("build", |run| run.cargo(&["build", "--release", "--package", "orquiva"])),
    ("test", Run::test),
    ("demo", Run::demo),
    ("clients", Run::clients),
    ("contract", Run::contract),
    ("console", Run::console),
];

/// One run of the steps, and what it has started.
struct Run {
    root: PathBuf,
    watch: Watch,
    postgres: Option<Postgres>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["test"] => test(&STEPS.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        ["test", "--only", steps] => test(&steps.split(',').collect::<Vec<_>>()),
        ["postgres"] => keep_postgres(),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn test(chosen: &[&str]) -> anyhow::Result<()> {
    if let Some(unknown) = chosen.iter().find(|name| STEPS.iter().all(|(step, _)| step != *name)) {
        let steps: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!("there is no step `{unknown}`; there are: {}", steps.join(", "));
    }
    let mut run = Run::start()?;
    let mut times = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| chosen.contains(name)) {
        println!("\n── {name}");
        #[expect(clippy::disallowed_methods, reason = "a chore has no clock to be given")]
        let start = std::time::Instant::now();
        step(&mut run).with_context(|| format!("the step `{name}` failed"))?;
        times.push(format!("{name} {} s", start.elapsed().as_secs()));
    }
    println!("\nall is well: {}", times.join(", "));
    Ok(())
}

fn keep_postgres() -> anyhow::Result<()> {
    let mut run = Run::start()?;
    println!("{}\n\nIt is gone with Ctrl-C.", run.postgres()?.url("postgres"));
    loop {
        std::thread::park(); // a signal ends the process, and the watch takes the server down
    }
}

impl Run {
    fn start() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent folder")?;
        Ok(Self { root: root.to_owned(), watch: Watch::start()?, postgres: None })
    }

    /// The throw-away PostgreSQL, started when it is first asked for.
    fn postgres(&mut self) -> anyhow::Result<&Postgres> {
        let server = match self.postgres.take() {
            Some(running) => running,
            None => Postgres::start(&mut self.watch)?,
        };
        Ok(self.postgres.insert(server))
    }

    fn cargo(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let mut cargo = Command::new("cargo");
        self.watch.run(cargo.args(args).current_dir(&self.root))
    }

    /// Every test of every crate, those of the documentation too, on both engines.
    fn test(&mut self) -> anyhow::Result<()> {
        let url = self.postgres()?.url("postgres");
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--workspace"]).env("ORQUIVA_TEST_POSTGRES", url).current_dir(&self.root);
        self.watch.run(&mut cargo)
    }

    /// The main job as a stranger starts it: in an empty folder, once more in the same one, and on PostgreSQL.
    fn demo(&mut self) -> anyhow::Result<()> {
        let folder = self.watch.folder("demo")?;
        let on_postgres = self.postgres()?.fresh_database("demo")?;
        for database in [None, None, Some(on_postgres)] {
            let mut demo = Command::new(self.program()?);
            demo.args(["demo", "--exit", "--listen", "127.0.0.1:0"]).current_dir(&folder);
            self.watch.run(with_database(&mut demo, database))?;
        }
        Ok(())
    }

    /// The published recipes with the real libraries of those whom we speak to, on both engines.
    fn clients(&mut self) -> anyhow::Result<()> {
        tools::need("npm", "npm")?;
        let folder = self.root.join("tests/clients");
        let npm = |args: &[&str]| {
            let mut npm = Command::new("npm");
            npm.args(args).current_dir(&folder);
            npm
        };
        self.watch.run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
        let mut runs = vec![(vec!["test"], None)];
        // Each file starts a server of its own with a master key of its own, so each gets a database.
        for (name, file) in [("clients", "clients.test.mjs"), ("oauth", "oauth.test.mjs")] {
            runs.push((vec!["test", "--", file], Some(self.postgres()?.fresh_database(name)?)));
        }
        for (args, database) in runs {
            let mut test = npm(&args);
            test.env("ORQUIVA_BINARY", self.program()?);
            self.watch.run(with_database(&mut test, database))?;
        }
        Ok(())
    }

    /// The console in a real browser.
    fn console(&mut self) -> anyhow::Result<()> {
        tools::need("npm", "npm")?;
        tools::need("chromium", "chromium")?;
        let folder = self.root.join("tests/console");
        let npm = |args: &[&str]| {
            let mut npm = Command::new("npm");
            npm.args(args).current_dir(&folder);
            npm
        };
        self.watch.run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
        let mut test = npm(&["test"]);
        test.env("ORQUIVA_BINARY", self.program()?).env("CARGO_TARGET_DIR", self.target());
        self.watch.run(&mut test)
    }

    /// The API's description with the tools of those who use it, and a running server held against it, on both engines.
    fn contract(&mut self) -> anyhow::Result<()> {
        tools::need("npm", "npm")?;
        let folder = self.root.join("tests/contract");
        let mut npm = Command::new("npm");
        self.watch.run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
        let python = self.python(&folder.join("requirements.txt"))?;
        let on_postgres = self.postgres()?.fresh_database("contract")?;
        for (what, database) in [("document", None), ("server", None), ("server", Some(on_postgres))] {
            let mut contract = Command::new(&python);
            contract.arg(folder.join("contract.py")).arg(what).env("ORQUIVA_BINARY", self.program()?);
            self.watch.run(with_database(&mut contract, database))?;
        }
        Ok(())
    }

    /// A Python that has what `requirements` names, kept beside what is built.
    fn python(&mut self, requirements: &Path) -> anyhow::Result<PathBuf> {
        tools::need("python3", "python3")?;
        let folder = self.target().join("python");
        let python = folder.join("bin/python");
        let make = |folder: &Path| {
            let mut make = Command::new("python3");
            make.args(["-m", "venv"]).arg(folder);
            make
        };
        if !python.exists() && self.watch.run(&mut make(&folder)).is_err() {
            tools::install("python3-venv")?;
            self.watch.run(&mut make(&folder))?;
        }
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        self.watch.run(pip.arg(requirements))?;
        Ok(python)
    }

    /// Where things are built.
    fn target(&self) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(self.root.join("target"), PathBuf::from);
        self.root.join(target)
    }

    /// The released program.
    fn program(&self) -> anyhow::Result<PathBuf> {
        let program = self.target().join("release/orquiva");
        if !program.exists() {
            bail!("{} is not built: run the step `build` first", program.display());
        }
        Ok(program)
    }
}

fn with_database(command: &mut Command, url: Option<String>) -> &mut Command {
    match url {
        Some(url) => command.env("ORQUIVA_DATABASE_URL", url),
        None => command.env_remove("ORQUIVA_DATABASE_URL"),
    }
}
