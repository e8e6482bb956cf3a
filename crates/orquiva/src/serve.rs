//! `orquiva serve`: everything on one port, until it is told to stop.

use std::io::Write as _;

use anyhow::Context as _;
use orquiva_console::Importer;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::settings::{Data, Network, Rules};
use crate::wiring::{Base, Node, holder, lock, router};

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(data: &Data, network: &Network) -> anyhow::Result<()> {
    let _lock = lock(data)?;
    let base = Base::open(data).await?;
    let (listener, url) = listen(network).await?;
    let named = holder(data, &base.mint).unwrap_or_else(|cause| {
        let cause = format!("{cause:#}"); // a folder that cannot be written to is no reason not to start
        tracing::warn!(
            cause,
            "this server has no name: if it is killed, what it held waits until its leases run out"
        );
        None
    });
    let (holder, _kept) = named.unzip();
    let node = base.node_under(url.clone(), Rules { holder, ..network.rules()? }).await?;
    // In one piece: whoever waits for the first line may not read a second one.
    let told = format!("Orquiva listens on {}\nThe console is at {url}/admin\n", address(&listener)?);
    std::io::stdout().write_all(told.as_bytes()).ok();
    if network.public_url.is_some() {
        tracing::info!("clients reach it at {url}, the issuer of every token");
    }
    if network.allow_private_webhooks {
        tracing::warn!("webhooks may go to private addresses: do not expose this server to the Internet");
    }
    if let Some(proxy) = &network.egress_proxy {
        tracing::info!("webhooks leave through the proxy {proxy}");
    }
    let (stop, stopped) = watch::channel(false);
    let routes = router(node.app.clone(), network.sign_up.into(), network.openid.provider()?);
    let running = tokio::spawn(run(node, routes, listener, stopped));
    asked_to_stop().await;
    tracing::info!("stopping: running requests and deliveries are finished first");
    stop.send_replace(true);
    running.await.context("the server broke down")
}

/// Opens the port; the second is where clients reach it.
pub async fn listen(network: &Network) -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(network.listen)
        .await
        .with_context(|| format!("cannot listen on {}: choose another with --listen", network.listen))?;
    let url = match &network.public_url {
        Some(url) => url.clone(),
        None => address(&listener)?,
    };
    Ok((listener, url))
}

/// Where a browser on this machine finds what listens.
fn address(listener: &TcpListener) -> anyhow::Result<String> {
    let at = listener.local_addr()?;
    Ok(match at.ip().is_unspecified() {
        true => format!("http://localhost:{}", at.port()),
        false => format!("http://{at}"),
    })
}

/// Web, worker, scheduler and the watch over clients, until `stop`.
pub async fn run(node: Node, routes: axum::Router, listener: TcpListener, stop: watch::Receiver<bool>) {
    let Node { app, worker, scheduler, tokens } = node;
    let feed = app.feed().clone();
    let importer = Importer::new(app.clone());
    // The worker goes on until the last request is answered, so that nothing waits for the next start.
    let (last, served) = watch::channel(false);
    let (watching, scheduling, importing) = (stop.clone(), stop.clone(), stop.clone());
    let web = async {
        orquiva_web::serve(listener, routes, stop).await;
        last.send_replace(true);
    };
    tokio::join!(
        web,
        worker.run(served.clone()),
        tokens.watch(watching.clone()),
        tokens.keep(served),
        feed.watch(watching),
        scheduler.run(scheduling),
        importer.run(importing)
    );
}

async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else {
            return drop(interrupted.await);
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}
