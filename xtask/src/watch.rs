//! Takes down what a chore has started, however the chore ends: a shell holds the other end of a pipe, and when the
//! pipe breaks (end, failure, Ctrl-C, `kill -9`) it stops what is still running and removes the folder.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

/// Reads what was started, line by line; at the end of its input it takes everything down. The last process of
/// each name counts. `step` is a group of processes that is asked to end, `server` is made to (SIGQUIT is
/// PostgreSQL's immediate shutdown).
const SCRIPT: &str = r#"
while read -r name pid; do
    case $name in
        step) step=$pid ;;
        server) server=$pid ;;
    esac
done
[ -z "$step" ] || kill -s TERM -- "-$step" 2>/dev/null
[ -z "$server" ] || kill -s QUIT "$server" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -n "$server" ] && kill -0 "$server" 2>/dev/null || break
    sleep 0.2
done
rm -rf "$1"
"#;

/// The shell that watches, and the folder that it removes.
pub struct Watch {
    shell: Child,
    folder: PathBuf,
    server: Option<Child>,
}

impl Watch {
    /// Starts watching.
    pub fn start() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("orquiva-xtask-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "watch"]).arg(&folder).env_remove("step").env_remove("server");
        // A group of its own: Ctrl-C ends the chore and not its watch.
        let shell = shell.stdin(Stdio::piped()).process_group(0).spawn().context("sh cannot be started")?;
        Ok(Self { shell, folder, server: None })
    }

    /// An empty folder that goes with the chore.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Runs a command to its end; it has to succeed.
    pub fn run(&mut self, command: &mut Command) -> anyhow::Result<()> {
        let program = Path::new(command.get_program()).display().to_string();
        let mut child =
            command.process_group(0).spawn().with_context(|| format!("{program} cannot be started"))?;
        self.tell("step", &child.id().to_string())?;
        let status = child.wait()?;
        self.tell("step", "")?;
        ensure!(status.success(), "{program} ended with {status}");
        Ok(())
    }

    /// Takes over a server, to take it down in the end.
    pub fn server(&mut self, child: Child) -> anyhow::Result<()> {
        self.tell("server", &child.id().to_string())?;
        self.server = Some(child);
        Ok(())
    }

    /// The server's process id; 0 without one.
    pub fn server_pid(&self) -> u32 {
        self.server.as_ref().map_or(0, Child::id)
    }

    /// Whether the server has ended by itself.
    pub fn server_has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.server.as_mut().map(Child::try_wait).transpose()?.flatten().is_some())
    }

    fn tell(&mut self, name: &str, pid: &str) -> anyhow::Result<()> {
        let pipe = self.shell.stdin.as_mut().context("the watch has ended")?;
        writeln!(pipe, "{name} {pid}").context("the watch has ended")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if let Some(server) = &mut self.server {
            drop(server.wait()); // or the shell would take the dead one for a living one
        }
        drop(self.shell.wait()); // nobody is left to hear of a failure
    }
}
