//! What an operator can set. With nothing set at all it runs: embedded database, `./orquiva-data`, port 8080.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use orquiva_core::network::{Network as IpNetwork, Networks};
use orquiva_core::webhook::address::Reach;
use orquiva_delivery::{Egress, Proxy};
use orquiva_web::TokenLimits;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::provider::OpenId;

/// Where the data is.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// Folder of the embedded database and of the master key
    #[arg(long, env = "ORQUIVA_DATA_DIR", default_value = "orquiva-data", global = true)]
    pub data_dir: PathBuf,
    /// PostgreSQL 15 or newer instead of the embedded database: postgres://…
    #[arg(long, env = "ORQUIVA_DATABASE_URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// Connections to PostgreSQL that write
    #[arg(long, env = "ORQUIVA_DATABASE_WRITERS", default_value_t = 8, global = true)]
    pub database_writers: usize,
    /// Connections to PostgreSQL that read, and as many for lists
    #[arg(long, env = "ORQUIVA_DATABASE_READERS", default_value_t = 4, global = true)]
    pub database_readers: usize,
    /// Base64 of the 32 bytes that seal every secret; without it `master.key` in the data folder is used, or made
    #[arg(long, env = "ORQUIVA_MASTER_KEY", hide_env_values = true, global = true)]
    pub master_key: Option<String>,
}

/// How the server is reached, and what it may reach.
#[derive(Args, Clone, Debug)]
pub struct Network {
    /// Address and port to listen on
    #[arg(long, env = "ORQUIVA_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where clients reach the server; issuer and audience of every token
    #[arg(long, env = "ORQUIVA_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Let webhooks go to plain http and to private addresses: for a laptop or a lab, never on the Internet
    #[arg(long, env = "ORQUIVA_ALLOW_PRIVATE_WEBHOOKS")]
    pub allow_private_webhooks: bool,
    /// Inner networks that webhooks may go to besides the Internet, parted by commas: 10.20.0.0/16
    #[arg(long, env = "ORQUIVA_ALLOWED_NETWORKS", value_delimiter = ',')]
    pub allowed_networks: Vec<IpNetwork>,
    /// HTTP proxy that webhooks leave through: http://user:password@proxy.example:3128
    #[arg(long, env = "ORQUIVA_EGRESS_PROXY", hide_env_values = true)]
    pub egress_proxy: Option<Proxy>,
    /// File with certificates (PEM) of authorities that receivers may have theirs from, besides those of this machine
    #[arg(long, env = "ORQUIVA_EXTRA_AUTHORITIES", value_name = "FILE")]
    pub extra_authorities: Option<PathBuf>,
    /// Proxies in front, as addresses or networks parted by commas: their X-Forwarded-For is believed
    #[arg(long, env = "ORQUIVA_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNetwork>,
    /// Whether anyone may found a company in the console; `closed` leaves it to `orquiva admin create`
    #[arg(long, env = "ORQUIVA_SIGN_UP", value_enum, default_value_t = SignUp::Open)]
    pub sign_up: SignUp,
    /// Whom else people may sign in with
    #[command(flatten)]
    pub openid: OpenId,
    /// Requests a minute to the token endpoint for one client from one address; 0 is no limit
    #[arg(long, env = "ORQUIVA_TOKENS_PER_CLIENT", default_value_t = 60)]
    pub tokens_per_client: u32,
    /// Requests a minute to the token endpoint from one address; 0 is no limit
    #[arg(long, env = "ORQUIVA_TOKENS_PER_ADDRESS", default_value_t = 120)]
    pub tokens_per_address: u32,
}

/// Whether anyone may found a company in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignUp {
    /// Anyone
    Open,
    /// Only the operator
    Closed,
}

impl From<SignUp> for orquiva_console::SignUp {
    fn from(wanted: SignUp) -> Self {
        match wanted {
            SignUp::Open => Self::Open,
            SignUp::Closed => Self::Closed,
        }
    }
}

/// What a server lets in and out.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How webhooks go out, and where to.
    pub egress: Egress,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Networks,
    /// How often tokens may be asked for.
    pub token_limits: TokenLimits,
    /// The name under which the server holds lanes, if it has one.
    pub holder: Option<String>,
}

impl Network {
    /// What the server lets in and out.
    pub fn rules(&self) -> anyhow::Result<Rules> {
        Ok(Rules {
            egress: Egress {
                reach: Reach::new(self.allow_private_webhooks, self.allowed_networks.clone().into()),
                proxy: self.egress_proxy.clone(),
                authorities: self.extra_authorities.as_deref().map_or(Ok(Vec::new()), authorities)?,
                ..Egress::default()
            },
            trusted_proxies: self.trusted_proxies.clone().into(),
            token_limits: TokenLimits {
                per_client: self.tokens_per_client,
                per_address: self.tokens_per_address,
            },
            holder: None,
        })
    }
}

fn authorities(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let found = read().with_context(|| format!("{} cannot be read as certificates (PEM)", file.display()))?;
    ensure!(!found.is_empty(), "{} has no certificate in it (PEM)", file.display());
    Ok(found)
}

/// What is written to the log, and how.
#[derive(Args, Clone, Debug)]
pub struct Log {
    /// What to log, as in RUST_LOG: `info`, `orquiva_delivery=debug`
    #[arg(long, env = "ORQUIVA_LOG", global = true)]
    pub log: Option<String>,
    /// For people or for machines
    #[arg(long, env = "ORQUIVA_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// The form of a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
