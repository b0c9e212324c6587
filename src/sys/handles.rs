//! Open files, passed from one process to another over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

/// So many are passed at a time.
const MOST: usize = 6;
/// The files travel with one byte, which is not part of what is said otherwise.
const CARRIER: [u8; 1] = [b'\n'];

/// Sends handles, four at most.
///
/// # Errors
/// As the system reports them.
pub fn send(socket: &UnixStream, handles: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(handles)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many handles"));
    }
    let send = || rustix::net::sendmsg(socket, &[IoSlice::new(&CARRIER)], &mut control, SendFlags::empty());
    rustix::io::retry_on_intr(send)?;
    Ok(())
}

/// Receives the handles that were sent with one call of [`send`]. No program that is started inherits them.
///
/// # Errors
/// As the system reports them; `UnexpectedEof` where the other end is closed.
pub fn receive(socket: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut carrier = CARRIER;
    let receive = || {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut carrier)], &mut control, RecvFlags::empty())
    };
    if rustix::io::retry_on_intr(receive)?.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut handles = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            handles.extend(received);
        }
    }
    for handle in &handles {
        rustix::io::fcntl_setfd(handle, FdFlags::CLOEXEC)?;
    }
    Ok(handles)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn handles_arrive_in_order_and_apart_from_the_text() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&ours, &[reader.as_fd(), writer.as_fd()]).unwrap();
        ours.write_all(b"text").unwrap();
        drop((writer, ours));
        let mut received = receive(&theirs).unwrap();
        assert_eq!(received.len(), 2);
        std::fs::File::from(received.pop().unwrap()).write_all(b"through").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        theirs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "throughtext");
        assert!(receive(&theirs).is_err());
    }
}
