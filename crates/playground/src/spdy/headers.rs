//! Header blocks of SPDY/3: names and values, compressed with one zlib stream per direction (draft 3, section 2.6.10).
//!
//! Each direction of a session has its own coder, and all header blocks of that direction must pass through it in
//! order: the state of the compressor is part of the protocol.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// Size limit of a received header list, uncompressed.
const MAX_HEADER_LIST_BYTES: usize = 64 << 10;
/// Limit of the entries of a block, and of the values in them.
const MAX_HEADERS: u32 = 100;

/// Start of the dictionary: words, each after its length.
const DICTIONARY_WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding \
    accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding \
    content-language content-length content-location content-md5 content-range content-type date etag expect expires \
    from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location \
    max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer \
    transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 \
    url public set-cookie keep-alive origin";
/// End of the dictionary.
const DICTIONARY_TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug \
    Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
    charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// The names and values of one block, in order. Names are lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HeaderList(pub(crate) Vec<(String, String)>);

impl HeaderList {
    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// The block cannot be read. The session must end, because the next block depends on this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("a header block does not decompress")]
    Compression,
    #[error("a header block of more than {MAX_HEADER_LIST_BYTES} bytes or {MAX_HEADERS} headers")]
    TooLarge,
    #[error("a header block is cut off or not text")]
    Malformed,
}

fn dictionary() -> Vec<u8> {
    let mut dictionary = Vec::new();
    for word in DICTIONARY_WORDS.split_whitespace() {
        let word = word.replace('_', " ");
        dictionary.put_u32(word.len() as u32);
        dictionary.put_slice(word.as_bytes());
    }
    dictionary.put_slice(DICTIONARY_TEXT.as_bytes());
    dictionary
}

/// Compresses the header blocks of one direction.
#[derive(Debug)]
pub(crate) struct Encoder(Compress);

impl Encoder {
    pub(crate) fn new() -> Self {
        let mut compress = Compress::new(Compression::best(), true);
        compress.set_dictionary(&dictionary()).expect("a new stream takes a dictionary");
        Self(compress)
    }

    pub(crate) fn encode(&mut self, headers: &HeaderList) -> Bytes {
        let plain = plain_block(headers);
        let mut block = Vec::with_capacity(plain.len() + 64);
        let start = self.0.total_in();
        loop {
            let consumed = (self.0.total_in() - start) as usize;
            let room = block.capacity() - block.len();
            self.0
                .compress_vec(&plain[consumed..], &mut block, FlushCompress::Sync)
                .expect("compressing into memory cannot fail");
            let all_in = (self.0.total_in() - start) as usize == plain.len();
            // With room left over, the flush is complete.
            if all_in && room > 0 && block.len() < block.capacity() {
                return Bytes::from(block);
            }
            block.reserve(256);
        }
    }
}

/// Decompresses the header blocks of one direction.
#[derive(Debug)]
pub(crate) struct Decoder(Decompress);

impl Decoder {
    pub(crate) fn new() -> Self {
        Self(Decompress::new(true))
    }

    pub(crate) fn decode(&mut self, block: &[u8]) -> Result<HeaderList, HeaderError> {
        let mut plain = Vec::with_capacity(1024);
        let start = self.0.total_in();
        loop {
            let consumed = (self.0.total_in() - start) as usize;
            let before = (consumed, plain.len());
            match self.0.decompress_vec(&block[consumed..], &mut plain, FlushDecompress::Sync) {
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&dictionary()).map_err(|_| HeaderError::Compression)?;
                    continue;
                }
                Err(_) => return Err(HeaderError::Compression),
            }
            let consumed = (self.0.total_in() - start) as usize;
            if plain.len() > MAX_HEADER_LIST_BYTES {
                return Err(HeaderError::TooLarge);
            }
            if plain.len() < plain.capacity() {
                return match consumed == block.len() {
                    true => parse_block(Bytes::from(plain)),
                    false if (consumed, plain.len()) == before => Err(HeaderError::Compression),
                    false => continue,
                };
            }
            plain.reserve(4096);
        }
    }
}

fn plain_block(headers: &HeaderList) -> BytesMut {
    let mut plain = BytesMut::new();
    plain.put_u32(headers.0.len() as u32);
    for (name, value) in &headers.0 {
        for text in [name, value] {
            plain.put_u32(text.len() as u32);
            plain.put_slice(text.as_bytes());
        }
    }
    plain
}

fn parse_block(mut plain: Bytes) -> Result<HeaderList, HeaderError> {
    let count = plain.try_get_u32().map_err(|_| HeaderError::Malformed)?;
    if count > MAX_HEADERS {
        return Err(HeaderError::TooLarge);
    }
    let mut headers = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let name = parse_text(&mut plain)?.to_ascii_lowercase();
        let values = parse_text(&mut plain)?;
        // Several values of a name share one entry, with a zero byte between them. Each has a copy of the name.
        if headers.len() + values.split('\0').count() > MAX_HEADERS as usize {
            return Err(HeaderError::TooLarge);
        }
        headers.extend(values.split('\0').map(|value| (name.clone(), value.to_owned())));
    }
    Ok(HeaderList(headers))
}

fn parse_text(plain: &mut Bytes) -> Result<String, HeaderError> {
    let length = plain.try_get_u32().map_err(|_| HeaderError::Malformed)? as usize;
    if plain.len() < length {
        return Err(HeaderError::Malformed);
    }
    String::from_utf8(plain.split_to(length).to_vec()).map_err(|_| HeaderError::Malformed)
}

#[cfg(test)]
mod tests;
