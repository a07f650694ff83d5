//! A proxy that looks names up itself, as Tor does.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A SOCKS5 proxy that leads every name to one address; notes who asked for which name.
pub fn socks(server: String, asked: Arc<Mutex<BTreeSet<(String, String)>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (server, asked) = (server.clone(), Arc::clone(&asked));
            std::thread::spawn(move || pass_on(stream, &server, &asked));
        }
    });
    address
}

/// RFC 1928 and 1929, as far as a client that sends names needs them.
fn pass_on(mut client: TcpStream, server: &str, asked: &Mutex<BTreeSet<(String, String)>>) -> std::io::Result<()> {
    fn text(client: &mut TcpStream) -> std::io::Result<String> {
        let mut length = [0; 1];
        client.read_exact(&mut length)?;
        let mut bytes = vec![0; length[0].into()];
        client.read_exact(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
    let mut version = [0; 1];
    client.read_exact(&mut version)?;
    let method = if text(&mut client)?.contains('\u{2}') { 2 } else { 0 };
    client.write_all(&[5, method])?;
    let mut who = String::new();
    if method == 2 {
        client.read_exact(&mut version)?;
        who = text(&mut client)?;
        text(&mut client)?;
        client.write_all(&[1, 0])?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    assert_eq!(head[3], 3, "the proxy gets a name, not an address");
    let name = text(&mut client)?;
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    asked.lock().expect("names").insert((who, name));
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let mut there = TcpStream::connect(server)?;
    let (mut from, mut to) = (client.try_clone()?, there.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    std::io::copy(&mut there, &mut client).map(|_| ())
}
