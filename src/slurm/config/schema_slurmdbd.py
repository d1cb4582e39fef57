"""The rows of slurmdbd.conf, as slurmdbd.conf(5) has them; form and standings as in `schema`."""

from __future__ import annotations

SLURMDBD = """
AllowNoDefAcct | yesno | no | yes |
AllResourcesAbsolute | yesno | no | yes |
ArchiveDir | text | /tmp | yes |
ArchiveEvents | yesno | no | yes |
ArchiveJobs | yesno | no | yes |
ArchiveResvs | yesno | no | yes |
ArchiveScript | text | | yes |
ArchiveSteps | yesno | no | yes |
ArchiveSuspend | yesno | no | yes |
ArchiveTXN | yesno | no | yes |
ArchiveUsage | yesno | no | yes |
AuthAltParameters | list | | later | slurmdbd takes no tokens
AuthAltTypes | list | | later | slurmdbd takes no tokens
AuthInfo | list | | yes |
AuthType | choice:auth/slurm,auth/munge,auth/local | auth/munge | yes |
CommitDelay | sec | 0 | ok | each message of records is committed once, whole, before it is acknowledged
CommunicationParameters | list | | later | slurmdbd listens at all addresses of IPv4
DbdAddr | text | | yes |
DbdBackupHost | text | | ok | a second slurmdbd on the same database may serve at any time: nothing is kept but there
DbdHost | text | localhost | yes |
DbdPort | port | 6819 | yes |
DebugFlags | list | | yes |
DebugLevel | level | info | yes |
DebugLevelSyslog | level | | yes |
DefaultQOS | text | normal | yes |
DisableCoordDBD | yesno | no | yes |
HashPlugin | plugin | | ok | the secured channel protects every message
LogFile | text | | yes |
LogTimeFormat | text | iso8601_ms | yes |
MaxPurgeLimit | int | 5000 | yes |
MaxQueryTimeRange | span | UNLIMITED | yes |
MessageTimeout | sec | 10 | ok | both sides wait for as long as the database works
Parameters | list | | ok | user names are kept as they are written, which is PreserveCaseUser
PidFile | text | /var/run/slurmdbd.pid | yes |
PluginDir | text | /usr/lib/slurm | ok | there are no plugin files to find
PrivateData | list | | yes |
PurgeEventAfter | age | | yes |
PurgeJobAfter | age | | yes |
PurgeResvAfter | age | | yes |
PurgeStepAfter | age | | yes |
PurgeSuspendAfter | age | | yes |
PurgeTXNAfter | age | | yes |
PurgeUsageAfter | age | | yes |
SlurmUser | user | root | yes |
StorageBackupHost | text | | yes |
StorageHost | text | localhost | yes |
StorageLoc | text | slurm_acct_db | yes |
StorageParameters | list | | yes |
StoragePass | text | | yes |
StoragePassScript | text | | yes |
StoragePort | int | | yes |
StorageType | choice:accounting_storage/mysql,accounting_storage/postgresql,accounting_storage/sqlite | | yes |
StorageUser | text | | yes |
TCPTimeout | sec | 2 | later | an attempt to connect to the database lasts five seconds and is repeated
TLSParameters | list | | yes |
TLSType | text | tls/none | ok | connections between machines are mutual TLS 1.3 always, whatever is written here
TrackSlurmctldDown | yesno | no | later | nodes of a cluster whose slurmctld is away are not counted as down
TrackWCKey | yesno | no | yes |
"""
