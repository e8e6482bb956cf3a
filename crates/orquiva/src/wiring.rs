//! Puts the rooms together: one database, one clock, one source of randomness, and what works with them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orquiva_console::{Console, Provider, SignUp};
use orquiva_core::chance::SystemChance;
use orquiva_core::id::{LeaseKind, Mint};
use orquiva_core::network::Networks;
use orquiva_core::seal::MasterKey;
use orquiva_core::time::SystemClock;
use orquiva_core::webhook::address::Reach;
use orquiva_core::{Chance, Clock, Secret};
use orquiva_delivery::{Client, Egress, Worker};
use orquiva_people::Scheduler;
use orquiva_store::{Store, StoreError, authority};
use orquiva_web::{App, Tokens};
use tokio::sync::Notify;

use crate::settings::{Data, Rules};

/// What every command works with.
pub struct Base {
    /// The database.
    pub store: Arc<Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
    /// Ids.
    pub mint: Arc<Mint>,
    /// The master key.
    pub key: Arc<MasterKey>,
}

/// A server: the web and the worker over one database.
pub struct Node {
    /// Every route.
    pub app: App,
    /// Takes events to their endpoints.
    pub worker: Worker,
    /// Carries out what lies ahead when its day has come.
    pub scheduler: Scheduler,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
}

impl Base {
    /// Opens the data that `settings` name, and makes it on the first start.
    pub async fn open(settings: &Data) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.data_dir)
            .with_context(|| format!("the data folder {} cannot be made", settings.data_dir.display()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let chance: Arc<dyn Chance> = Arc::new(SystemChance);
        let (key, made) = master_key(settings, chance.as_ref())?;
        let store =
            Store::open(database(settings), clock.as_ref()).await.context("the database cannot be opened")?;
        let base = Self::over(store, clock, chance, key);
        if let Err(error) = base.check_key().await {
            if made {
                // A key that opens nothing must not be taken for the right one next time.
                std::fs::remove_file(settings.data_dir.join(KEY_FILE)).ok();
            }
            return Err(error);
        }
        Ok(base)
    }

    /// Over parts that are chosen by the caller: how tests freeze time and randomness.
    pub fn over(store: Store, clock: Arc<dyn Clock>, chance: Arc<dyn Chance>, key: MasterKey) -> Self {
        let mint = Arc::new(Mint::new(clock.clone(), chance.clone()));
        Self { store: Arc::new(store), clock, chance, mint, key: Arc::new(key) }
    }

    /// Refuses a database whose secrets were sealed under another key.
    async fn check_key(&self) -> anyhow::Result<()> {
        let mine = self.key.check().to_vec();
        let write = mine.clone();
        let stored = self
            .store
            .write::<_, StoreError, _, _>(None, move |tx| async move {
                authority::setting(&tx, "master_key_check", &write).await
            })
            .await?;
        ensure!(
            stored == mine,
            "this database was made under another master key: set ORQUIVA_MASTER_KEY, or put its master.key into the data folder"
        );
        Ok(())
    }

    /// The web and the worker, reached at `public_url`, under the usual rules.
    pub async fn node(&self, public_url: String, allow_private_webhooks: bool) -> anyhow::Result<Node> {
        let egress =
            Egress { reach: Reach::new(allow_private_webhooks, Networks::default()), ..Egress::default() };
        self.node_under(public_url, Rules { egress, ..Rules::default() }).await
    }

    /// The web and the worker, reached at `public_url`.
    pub async fn node_under(&self, public_url: String, rules: Rules) -> anyhow::Result<Node> {
        let Rules { egress, trusted_proxies, token_limits, holder } = rules;
        let Self { store, clock, chance, mint, key } = self;
        let public_url = public_url.trim_end_matches('/').to_owned();
        let (wake, routed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let tokens = Arc::new(
            Tokens::open(
                store.clone(),
                clock.clone(),
                chance.clone(),
                mint.clone(),
                key.clone(),
                public_url.clone(),
            )
            .await?,
        );
        let app = App::new(orquiva_web::Parts {
            store: store.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            mint: mint.clone(),
            key: key.clone(),
            tokens: tokens.clone(),
            wake: wake.clone(),
            routed: routed.clone(),
            public_url,
            reach: egress.reach.clone(),
            trusted_proxies,
            token_limits,
        });
        let scheduler = Scheduler::new(store.clone(), clock.clone(), mint.clone(), wake.clone());
        let worker = Worker::new(orquiva_delivery::Parts {
            store: store.clone(),
            clock: clock.clone(),
            chance: chance.clone(),
            mint: mint.clone(),
            key: key.clone(),
            client: Client::new(&egress, clock.clone())?,
            holder,
            wake,
            routed,
        });
        Ok(Node { app, worker, scheduler, tokens })
    }
}

/// Every route of a node: the API, and the console over it.
pub fn router(app: App, sign_up: SignUp, provider: Option<Provider>) -> axum::Router {
    let console = orquiva_console::pages(Console::new(app.clone(), sign_up, provider));
    orquiva_web::router(app, console)
}

/// The routes of a node where anyone may found a company.
pub fn open_router(app: App) -> axum::Router {
    router(app, SignUp::Open, None)
}

/// Makes sure that one server alone works on an embedded database, for as long as the lock is kept.
pub fn lock(settings: &Data) -> anyhow::Result<Option<File>> {
    if settings.database_url.is_some() {
        return Ok(None);
    }
    std::fs::create_dir_all(&settings.data_dir)?;
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(settings.data_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another Orquiva already serves {}: stop it, choose another --data-dir, or use PostgreSQL for several nodes",
            settings.data_dir.display()
        ),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The name under which a server over this data folder holds lanes, which it has for as long as the file is kept: the
/// same at every start, so that what it held when it was killed is taken back at once. A second server over the folder
/// has none, and a dead one's lanes wait until their leases have run out.
pub fn holder(settings: &Data, mint: &Mint) -> anyhow::Result<Option<(String, File)>> {
    let mut options = OpenOptions::new();
    let mut file =
        options.create(true).truncate(false).read(true).write(true).open(settings.data_dir.join("node"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    let mut name = String::new();
    file.read_to_string(&mut name)?;
    if name.is_empty() {
        name = mint.next::<LeaseKind>().to_string();
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
    }
    Ok(Some((name, file)))
}

fn database(settings: &Data) -> orquiva_store::Settings {
    match &settings.database_url {
        Some(url) => orquiva_store::Settings::Postgres {
            url: Secret::new(url.as_str()),
            writers: settings.database_writers,
            readers: settings.database_readers,
        },
        None => orquiva_store::Settings::Sqlite { file: settings.data_dir.join("orquiva.db") },
    }
}

const KEY_FILE: &str = "master.key";

/// The master key from the settings or its file; whether it was made just now.
fn master_key(settings: &Data, chance: &dyn Chance) -> anyhow::Result<(MasterKey, bool)> {
    let file = settings.data_dir.join(KEY_FILE);
    let (text, made) = match (&settings.master_key, file.exists()) {
        (Some(text), _) => (text.clone(), false),
        (None, true) => (std::fs::read_to_string(&file).context("master.key cannot be read")?, false),
        (None, false) => (make_key(&file, chance).context("master.key cannot be written")?, true),
    };
    let bytes =
        STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; MasterKey::LENGTH]>::try_from(bytes).ok());
    let bytes =
        bytes.context("the master key has to be base64 of 32 bytes, as `openssl rand -base64 32` prints")?;
    Ok((MasterKey::new(&bytes), made))
}

fn make_key(file: &Path, chance: &dyn Chance) -> anyhow::Result<String> {
    let mut bytes = [0; MasterKey::LENGTH];
    chance.fill(&mut bytes);
    let text = STANDARD.encode(bytes);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut made = options.open(file)?;
    writeln!(made, "{text}")?;
    made.sync_all()?;
    Ok(text)
}
