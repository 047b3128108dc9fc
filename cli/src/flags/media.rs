// SPDX-License-Identifier: AGPL-3.0-only
//! What the flags about media come to: the range of ports and the echo.

use gossipper_runtime::config::EchoConfig;

/// The flags about media, as given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct MediaLow {
    /// `-max_rtp_port`.
    pub(crate) end_port: Option<u16>,
    /// `-rtp_echo`.
    pub(crate) echo: bool,
    /// `-mb`.
    pub(crate) echo_bytes: Option<usize>,
}

/// The flags about media, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Media {
    /// `-max_rtp_port`.
    pub(crate) end_port: u16,
    /// `-rtp_echo`.
    pub(crate) echo: Option<EchoConfig>,
}

impl Media {
    /// `port` is `-mp`, `skipped` is `-no_media`.
    pub(crate) fn resolve(
        low: MediaLow,
        port: u16,
        skipped: bool,
        faults: &mut Vec<String>,
    ) -> Self {
        if let Some(end) = low.end_port.filter(|end| *end <= port) {
            faults.push(format!(
                "-max_rtp_port {end} leaves no port for media: they lie below it and begin with {port} (-mp)"
            ));
        }
        if low.echo && skipped {
            faults.push("-rtp_echo is media and -no_media runs none: give one of them".to_owned());
        }
        let default = EchoConfig::default();
        let end_port = low.end_port.unwrap_or(default.end_port);
        Self {
            end_port,
            echo: low.echo.then_some(EchoConfig {
                first_port: port,
                end_port,
                max_bytes: low.echo_bytes.unwrap_or(default.max_bytes),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(low: MediaLow, port: u16, skipped: bool) -> usize {
        let mut faults = Vec::new();
        Media::resolve(low, port, skipped, &mut faults);
        faults.len()
    }

    #[test]
    fn ranges_without_a_port_and_an_echo_without_media_are_refused() {
        let low = MediaLow {
            end_port: Some(6001),
            echo: true,
            echo_bytes: None,
        };
        assert_eq!(faults(low.clone(), 6000, false), 0);
        assert_eq!(faults(low.clone(), 6001, false), 1);
        assert_eq!(faults(low, 7000, true), 2);
        // Nobody named an end.
        assert_eq!(faults(MediaLow::default(), 65_535, true), 0);
    }

    #[test]
    fn the_echo_gets_its_ports_and_its_buffer() {
        let low = MediaLow {
            end_port: Some(6500),
            echo: true,
            echo_bytes: Some(100),
        };
        let media = Media::resolve(low, 6400, false, &mut Vec::new());
        assert_eq!(
            media.echo,
            Some(EchoConfig {
                first_port: 6400,
                end_port: 6500,
                max_bytes: 100
            })
        );
        let none = Media::resolve(MediaLow::default(), 6000, false, &mut Vec::new());
        assert_eq!((none.echo, none.end_port), (None, 65_535));
    }
}
