//! How the servers that live in this program serve: connections dealt out to one runtime a core, by
//! the code of `grantor serve`.

use std::{convert::Infallible, error::Error, net::SocketAddr};

use grantor_server::http::Workers;
use http::{Request, Response};
use hyper::{
    body::{Body, Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

/// Answers requests until the process is killed.
pub fn serve<A, F, B>(address: SocketAddr, answer: A) -> Result<Infallible, Box<dyn Error>>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut workers = Workers::start()?;
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind(address).await?;
            loop {
                let stream = listener.accept().await?.0.into_std()?;
                let answer = answer.clone();
                workers.spawn(async move {
                    let Ok(stream) = TcpStream::from_std(stream) else {
                        return;
                    };
                    // Without it answers wait for more to send; a connection that cannot be set so
                    // is slow, and is measured as that.
                    let _ = stream.set_nodelay(true);
                    let service = service_fn(move |request| {
                        let answer = answer(request);
                        async { Ok::<_, Infallible>(answer.await) }
                    });
                    // Whoever hangs up ends the connection; there is nobody to tell.
                    let _ = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        })
}
