//! What Ctrl-C and SIGTERM do.

use tokio::signal;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;

/// Cancels `stop` at the first Ctrl-C or SIGTERM, and ends the process at the second: a commit is atomic, so even that
/// harms nothing.
pub(super) fn cancels(stop: &CancellationToken) {
    let stop = stop.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        tracing::warn!("told to stop: committing what is whole; once more ends the run at once");
        stop.cancel();
        told_to_stop().await;
        std::process::exit(Exit::Stopped as i32);
    });
}

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn told_to_stop() {
    #[cfg(unix)]
    if let Ok(mut terminated) = signal::unix::signal(signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    // Without a way to be told, it ends with its process.
    if signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
