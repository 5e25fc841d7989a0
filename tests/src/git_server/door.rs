//! The port at which a server is reached, until it is not, and then again.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Desk;

/// Who has been told of a free port by its number may have taken ours before we listen.
const ATTEMPTS: usize = 5;

/// A port of this machine that stays ours, whether anyone listens on it or not.
pub(super) struct Door {
    /// Bound and never listening: nobody else is given the port while it is closed.
    keeper: TcpSocket,
    acceptor: TlsAcceptor,
    desk: Arc<Desk>,
    open: Option<Open>,
}

struct Open {
    close: CancellationToken,
    closed: mpsc::Receiver<Infallible>,
}

impl Door {
    /// Opens one at a free port.
    pub(super) fn open_anywhere(acceptor: &TlsAcceptor, desk: &Arc<Desk>, runtime: &Handle) -> Self {
        for _ in 0..ATTEMPTS {
            let keeper = socket_at((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port of this machine");
            let mut door = Self { keeper, acceptor: acceptor.clone(), desk: Arc::clone(desk), open: None };
            if door.open(runtime).is_ok() {
                return door;
            }
        }
        panic!("no port was free for long enough to listen at it");
    }

    pub(super) fn port(&self) -> u16 {
        self.address().port()
    }

    fn address(&self) -> SocketAddr {
        self.keeper.local_addr().expect("it is bound")
    }

    /// Listens; nothing to do when it does.
    pub(super) fn open(&mut self, runtime: &Handle) -> io::Result<()> {
        if self.open.is_some() {
            return Ok(());
        }
        let _inside = runtime.enter();
        let listener = socket_at(self.address())?.listen(64)?;
        let close = CancellationToken::new();
        let (closing, closed) = mpsc::channel();
        let (acceptor, desk, token) = (self.acceptor.clone(), Arc::clone(&self.desk), close.clone());
        runtime.spawn(async move {
            listen(listener, acceptor, desk, token).await;
            drop(closing);
        });
        self.open = Some(Open { close, closed });
        Ok(())
    }

    /// Listens no more, and ends what is under way. From when this returns on, clients are refused.
    pub(super) fn close(&mut self) {
        if let Some(Open { close, closed }) = self.open.take() {
            close.cancel();
            // Nothing is ever sent: the other end is dropped when all is closed.
            let _ = closed.recv();
        }
    }
}

fn socket_at(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // What lets the one that listens have the port of the one that keeps it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, desk: Arc<Desk>, close: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = close.cancelled() => break,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, acceptor.clone(), Arc::clone(&desk)));
                }
            }
        }
    }
    // Closing would not be enough: a process that is being started at this moment holds a copy of everything that is
    // open here, until it becomes another program.
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).expect("it listens");
    drop(listener);
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, desk: Arc<Desk>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(|request| async { Ok::<_, Infallible>(desk.answer(request).await) });
    // A client that goes away in mid-request is its own matter.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
