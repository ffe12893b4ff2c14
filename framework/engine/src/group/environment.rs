//! The place that a launcher gives a process, in variables of its environment.

use crate::error::{Error, Result};

/// Variables of a launcher: rank, number of ranks, and rank among those of the same machine.
type Variables = [&'static str; 3];

/// The launchers, in the order in which they are looked for. A script inside another launcher's job
/// sets the first ones by hand.
const LAUNCHERS: [Variables; 4] = [
    // torchrun, Kubernetes' PyTorchJob
    ["RANK", "WORLD_SIZE", "LOCAL_RANK"],
    ["SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"],
    // Open MPI
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"],
    // MPICH, Intel MPI
    ["PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"],
];

/// The place of this process in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
    /// Number of this process among those of its machine, if the launcher says it.
    pub local_rank: Option<usize>,
    /// Name or address of the machine of rank 0.
    pub host: String,
    /// Port at which the processes meet there.
    pub port: u16,
    /// True if this process listens at that port: rank 0, unless the launcher does.
    pub serves: bool,
    /// Number of times that the launcher has started the processes before.
    pub restarts: u64,
    /// The variables that rank and size come from, such as "RANK and WORLD_SIZE".
    pub from: String,
}

impl Place {
    /// The place that the environment gives; `None` unless it gives MASTER_ADDR and MASTER_PORT: a
    /// scheduler sets its own variables for every command of a job.
    ///
    /// # Errors
    /// [`Error::Config`]: a variable is missing or makes no sense.
    pub fn of_environment() -> Result<Option<Self>> {
        Self::of(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let (host, port) = match (variable("MASTER_ADDR"), variable("MASTER_PORT")) {
            (Some(host), Some(port)) => (host, port),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(without("MASTER_ADDR is set, but MASTER_PORT is not")),
            (None, Some(_)) => return Err(without("MASTER_PORT is set, but MASTER_ADDR is not")),
        };
        let given = LAUNCHERS.iter().find_map(|[rank, size, local]| {
            Some((([rank, size, local]), variable(rank)?, variable(size)?, variable(local)))
        });
        let Some(([of_rank, of_size, of_local], rank, size, local)) = given else {
            let message = "MASTER_ADDR is set, but neither a launcher nor RANK and WORLD_SIZE say \
                           which of the processes this is";
            return Err(without(message));
        };
        let (rank, size) = (number(of_rank, &rank)?, number(of_size, &size)?);
        if rank >= size {
            let message = format!("{of_rank} is {rank}, but there are {size} ranks ({of_size})");
            return Err(Error::config("", message).help("ranks are numbered from 0"));
        }
        let port = port.parse().ok().filter(|port| *port > 0);
        let port =
            port.ok_or_else(|| Error::config("", "MASTER_PORT is not a port, 1 to 65535"))?;
        let is_launchers = variable("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|v| v == "True");
        Ok(Some(Self {
            rank,
            size,
            local_rank: local.map(|local| number(of_local, &local)).transpose()?,
            host,
            port,
            serves: rank == 0 && !is_launchers,
            restarts: variable("TORCHELASTIC_RESTART_COUNT")
                .map_or(Ok(0), |count| number("TORCHELASTIC_RESTART_COUNT", &count))?
                as u64,
            from: format!("{of_rank} and {of_size}"),
        }))
    }
}

fn without(message: &str) -> Error {
    Error::config("", message).help(
        "for training on several processes set MASTER_ADDR and MASTER_PORT, and start it with \
         torchrun, srun or mpirun, or set RANK and WORLD_SIZE; for a single process unset them",
    )
}

fn number(name: &str, text: &str) -> Result<usize> {
    text.trim()
        .parse()
        .map_err(|_| Error::config("", format!("{name} is `{text}`, which is not a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Place>> {
        Place::of(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const MASTER: [(&str, &str); 2] = [("MASTER_ADDR", "10.0.0.1"), ("MASTER_PORT", "29500")];
    const SLURM: [(&str, &str); 3] =
        [("SLURM_PROCID", "3"), ("SLURM_NTASKS", "8"), ("SLURM_LOCALID", "1")];

    #[test]
    fn a_launcher_alone_makes_no_group() {
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&SLURM).unwrap(), None);
        assert_eq!(of(&[("RANK", "0"), ("WORLD_SIZE", "2")]).unwrap(), None);
    }

    #[test]
    fn rank_and_size_come_from_the_first_launcher_that_gives_both() {
        let slurm = of(&[&MASTER[..], &SLURM].concat()).unwrap().unwrap();
        assert_eq!((slurm.rank, slurm.size, slurm.local_rank), (3, 8, Some(1)));
        assert_eq!((slurm.host.as_str(), slurm.port, slurm.serves), ("10.0.0.1", 29500, false));
        assert_eq!(slurm.from, "SLURM_PROCID and SLURM_NTASKS");
        let both = [&MASTER[..], &SLURM, &[("RANK", "0"), ("WORLD_SIZE", "2")]].concat();
        let by_hand = of(&both).unwrap().unwrap();
        assert_eq!((by_hand.rank, by_hand.size, by_hand.local_rank), (0, 2, None));
        assert!(by_hand.serves);
        // Half of a launcher's variables is none.
        let half = [&MASTER[..], &SLURM, &[("RANK", "0")]].concat();
        assert_eq!(of(&half).unwrap().unwrap().rank, 3);
        for (rank, size, local) in [
            ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
            ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
        ] {
            let place = of(&[&MASTER[..], &[(rank, "1"), (size, "2"), (local, "1")]].concat());
            let place = place.unwrap().unwrap();
            assert_eq!((place.rank, place.size, place.local_rank), (1, 2, Some(1)), "{rank}");
        }
    }

    #[test]
    fn the_store_is_the_launchers_if_it_says_so() {
        let torchrun =
            [("TORCHELASTIC_USE_AGENT_STORE", "True"), ("TORCHELASTIC_RESTART_COUNT", "2")];
        let all = [&MASTER[..], &[("RANK", "0"), ("WORLD_SIZE", "2")], &torchrun].concat();
        let place = of(&all).unwrap().unwrap();
        assert!(!place.serves && place.restarts == 2);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let error = |more: &[(&str, &str)]| of(more).unwrap_err().to_string();
        assert!(error(&MASTER[..1]).starts_with("MASTER_ADDR is set, but MASTER_PORT is not"));
        assert!(error(&MASTER[1..]).starts_with("MASTER_PORT is set, but MASTER_ADDR is not"));
        assert!(error(&MASTER).starts_with("MASTER_ADDR is set, but neither a launcher"));
        let ranks =
            |rank, size| error(&[&MASTER[..], &[("RANK", rank), ("WORLD_SIZE", size)]].concat());
        assert!(ranks("2", "2").starts_with("RANK is 2, but there are 2 ranks (WORLD_SIZE)"));
        assert!(ranks("x", "2").starts_with("RANK is `x`, which is not a whole number"));
        let port =
            [("MASTER_ADDR", "a"), ("MASTER_PORT", "99999"), ("RANK", "0"), ("WORLD_SIZE", "2")];
        assert_eq!(error(&port), "MASTER_PORT is not a port, 1 to 65535");
    }
}
