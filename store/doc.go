// Package store keeps everything that Larder stores, in one data folder: blobs as files, records in a bbolt database.
// It knows neither HTTP nor any protocol. Read this page first.
//
// # Words
//
// A [Kind] is a protocol. A package is a name within a kind, a version one release of it, a file bytes of a version
// under a name, a [Blob] the bytes on disk under their sha256, a [Tag] a movable name for a version. The journal is the
// ordered log of every change. A hold says that a version (or for a grace period the package itself: a loose hold)
// needs a blob; a package that has one is a holder, and only through a holder can a blob be read.
//
// # Folder
//
//	larder.db                 the records: bbolt, 0600, held by an exclusive lock while a process has it open
//	larder.id                 a random id that the database has too: they belong together
//	blobs/sha256/ab/abcd…     the blobs: 0440, 256 shard folders made when the folder is created
//	uploads/                  files that are being written, on the same file system, so that a commit is a rename; a
//	                          resumable upload is nothing but its file: the size is the offset, the name says whose it is
//	orphans/                  blobs no record knows, kept for a week: a record may be missing because the database is
//	                          wrong
//	journal/2026-01.jsonl.gz  entries of the journal that have left the database, by month
//	admin.sock                the running server's socket; not ours
//
// # Buckets
//
// Parts of keys are joined by 0x00, which no name contains. Values are JSON behind one byte, the record's format (1),
// unless said otherwise. Numbers in keys are 8 bytes, big-endian.
//
//	meta        "format" → number of the last migration (8 bytes) · "id" → the folder's ·
//	            "secret" name → random bytes · "cursor" name → seq its reader is done with ·
//	            "scrub" → how far it is · "txbase", "journal.month"
//	package     kind name → Package, whether it is listed, and since when and by whom its name is ours
//	version     kind name id → Version[M]
//	file        kind name filename → id (plain)
//	tag         kind name tag → Tag
//	tagged      kind name id tag → "": which tags a version has, so that deleting one does not scan all tags
//	taghistory  kind name tag seq → TagEvent; survives the tag
//	hold        kind name digest id → size, by; id "" is the loose hold and has the time of its last touch
//	holder      digest kind name → size, by: one row per package that holds the blob; counters, mounts, sweeping
//	tombstone   kind name id → when, by: an ID that can never be published again
//	name        kind name → when, by, claimed: a name that is ours though its package is gone, or by a claim
//	blob        digest → size, created: the file is durable
//	alias       sha512 digest → sha256 digest (plain) · sha256 sha512 → "": the way back
//	review      due digest → "": the sweeper looks at the blob at that time (Unix seconds)
//	journal     seq → Entry; from the first that was not pruned
//	journalindex  "package" kind name seq · "user" name seq · "op" op seq → "": the way to entries, written later
//	            than they are, in batches; the bucket's sequence is the number up to which it is complete
//	index       kind name index key → the protocol's own rows; name "" is the kind's
//	stat        "blobs" · "kind" kind · "user" user → counters, changed in the transaction of what they count
//	damage      digest → what is wrong with the blob's file; nobody is given it until the same bytes come again
//	use.pulls   kind name version → how often it was fetched and when last; pulls.go has the format
//	traffic.total  kind source → Traffic since the folder was made
//	traffic.hour   hour kind source → Traffic of the hour, for 400 days
//	disk.days   day → DiskDay: what the data folder took
//	a.b         other packages' buckets (Tx.Table), "auth.users"
//
// # How a publish commits
//
//	Stage → Write… → Commit      uploads/x written and hashed, fsync, rename into blobs/, fsync of the shard
//	                             folder, transaction {blob row, review row}
//	Repo.Update → Publish        one transaction {still absent? blobs there? policies; version, files, holds, holder,
//	                             package, counters, journal}
//	after its fsync              generations move in memory (cached documents are outdated), OnCommit hooks, WatchJournal
//	Update returns               the reply may be written
//
// A crash leaves nothing or everything, and at worst blobs that nobody holds, which the sweeper removes. A version's
// deletion turns its holds loose and queues a review of each blob; the sweeper's transaction expires loose holds,
// deletes the blob row when no holder is left, commits, and only then unlinks the file.
//
// # What is verified
//
// The database is compared with the files, and its pages are inspected before they are used. A folder with blobs whose
// database is missing, empty or another folder's does not start, nor one that lacks most of the blobs its database
// knows (identity.go, orphans.go). Every page is inspected before bbolt follows it (inspect.go); pages that are damaged
// while the store is open turn it read-only (guard.go). Blobs without a record are moved to orphans/.
//
// # Rules
//
// One exported call is one transaction, except where its comment says otherwise. Transactions are short: no I/O, no
// network, no other call of the store inside one. An fsync that failed is not repeated; the store turns read-only.
// Writers that meet share a commit (group.go). Reads of documents ask memory only (document.go, generation.go).
//
// # Where is what
//
//	db.go        Open, formats, health         group.go, tx.go       transactions, tables
//	repo.go      packages of a kind            packagetx.go, tags.go what can be done to one
//	holds.go     who needs which blob          rows.go               keys, values, blob rows
//	names.go     names that are ours           find.go               finding packages in bounded steps
//	search.go    what packages are found by     journal.go            the log
//	copies.go    packages that are copies
//	stats.go     counters                      encoding.go           what rendered documents are sent in
//	policy.go    refusing changes              policies.go           quotas, protected, immutable
//	document.go  rendered documents            generation.go         has it changed
//	check.go     is everything consistent      recount.go            are the counters right
//	backup.go    hot backup                    restore.go            and back
//	identity.go  folder and database match     orphans.go            blobs without a record
//	inspect.go   pages of the database         guard.go, pages.go    what damage becomes; its check
//	journalindex.go  entries by package, user  archive.go            old entries
//	compact.go   the database's size           found.go              files without their records
//	traffic.go   what clients were answered    pulls.go              what was fetched how often
//	diskdays.go  what the folder took          survey.go             what takes most, and what nobody pulls
//	blob.go      blobs, by digest              stage.go, alias.go    bodies that become blobs
//	damage.go    bytes that went bad           scrub.go              looking for them
//	upload.go    resumable uploads             sweep.go              removing what nobody holds
//
// The files themselves, and every system call that writes one, are package disk's.
package store
