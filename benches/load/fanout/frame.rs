//! The frames of a websocket as a client may get them, read strictly (RFC 6455): whatever a server may not send ends the
//! measurement.
//!
//! It never copies: a frame that is not complete is left where it is.

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Close,
    Ping,
}

/// The frame that begins here, and what follows it; nothing when it is not complete.
pub(crate) fn first(bytes: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let kind = match *bytes.first()? {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        other => panic!("a server sends whole text frames without extensions, and not {other:#x}"),
    };
    let (header, length) = match *bytes.get(1)? {
        126 => {
            let length = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
            assert!(length >= 126, "{length} bytes need no long header");
            assert_eq!(kind, Kind::Text, "only texts may be long");
            (4, usize::from(length))
        }
        length @ 0..126 => (2, usize::from(length)),
        127 => panic!("nobody sends a message that long"),
        _ => panic!("a server does not mask"),
    };
    let (payload, rest) = bytes.get(header..)?.split_at_checked(length)?;
    Some((kind, payload, rest))
}
