// SPDX-License-Identifier: AGPL-3.0-only
//! The handshake over a stream: bytes in, bytes out, until frames may follow.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::WsConfig;
use super::handshake::{self, MAX_HEAD_BYTES, Refused};

/// What one read of a handshake takes at most.
const READ_BYTES: usize = 1_024;

/// Reads until `read` has what it wants; gives that with what came behind it.
async fn head<S, T>(
    stream: &mut S,
    mut read: impl FnMut(&[u8]) -> Result<Option<(T, usize)>, Refused>,
) -> io::Result<(T, Vec<u8>)>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = Vec::with_capacity(READ_BYTES);
    loop {
        // Behind a whole head there may be any number of frames; before one there are not many bytes.
        let mut piece = [0; READ_BYTES];
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer closed the connection during the WebSocket handshake",
            ));
        }
        bytes.extend_from_slice(&piece[..length]);
        debug_assert!(bytes.len() <= MAX_HEAD_BYTES + READ_BYTES);
        match read(&bytes).map_err(refused)? {
            Some((value, end)) => {
                bytes.drain(..end);
                return Ok((value, bytes));
            }
            None => continue,
        }
    }
}

fn refused(reason: Refused) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Opens the conversation as a client; gives the bytes of the first frames that came along.
///
/// # Errors
/// When the connection breaks or the server refuses.
pub async fn connect<S>(
    stream: &mut S,
    config: &WsConfig,
    authority: &str,
    nonce: [u8; 16],
) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream
        .write_all(&handshake::request(config, authority, nonce))
        .await?;
    stream.flush().await?;
    let ((), rest) = head(stream, |bytes| {
        let length = handshake::read_response(bytes, config, nonce)?;
        Ok(length.map(|length| ((), length)))
    })
    .await?;
    Ok(rest)
}

/// Opens it as a server.
///
/// # Errors
/// When the connection breaks, or the client asks for something else; it is told so.
pub async fn accept<S>(stream: &mut S, config: &WsConfig) -> io::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let taken = head(stream, |bytes| {
        let accepted = handshake::read_request(bytes, config)?;
        Ok(accepted.map(|accepted| (accepted.response, accepted.length)))
    })
    .await;
    match taken {
        Ok((response, rest)) => {
            stream.write_all(&response).await?;
            stream.flush().await?;
            Ok(rest)
        }
        Err(error) => {
            let reason = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<Refused>());
            if let Some(reason) = reason {
                // A courtesy to a peer that is leaving.
                let _ = stream.write_all(reason.response()).await;
                let _ = stream.shutdown().await;
            }
            Err(error)
        }
    }
}
