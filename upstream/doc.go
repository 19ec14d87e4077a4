// Package upstream keeps copies of remote registries: it asks each of them once for each thing, never gives out a wrong
// byte, and goes on answering while they are down. It knows HTTP as a client and no protocol; a protocol's proxy.go
// says what to ask for, where, and what may be done with the answer.
//
// # Words
//
// An [Upstream] is one remote registry; a [Set] is those of one kind, in the operator's order, and the rules about
// names. A document changes (a packument, an index file) and is kept with its validators; a file never does (a
// tarball, a wheel) and is kept for ever, or until it is evicted. An entry is what is kept of one address of one
// package.
//
// # Whose copies are whose
//
// A copy is of the registry at a URL, whatever the operator calls it. Records carry the URL's key, which is the name
// under which it was configured first and never changes; the table upstream.sources has keys, URLs and present names. A
// source that is not configured any more is an upstream that nobody can ask: it answers when no other one of its kind
// may be asked, for names of which nothing is kept of a configured one. Two entries with one URL have two keys, since
// what the credentials of one have brought is not the other's to give.
//
// # How a document is answered
//
//	Set.Document   claimed or blocked? → no request at all, on any route
//	  fresh        the entry was checked less than its lifetime ago → it
//	  old          a refresh; when that fails, or takes long and the entry is hardly older, the old entry (STALE)
//	  absent       404, 410 or 451 from every upstream that may have the name → ErrNotFound, remembered for a moment
//	  trouble      anything else → ErrUnavailable, which is a 503 with Retry-After and never a 404
//
// The first upstream that has a name owns the whole package; trouble with one is never answered by asking the next, nor
// by what is kept of the next once anything is kept of the first.
//
// # How a file is answered
//
//	Set.File       kept? → its blob. Otherwise one flight for all who ask: a fetch of its own that no client can cancel
//	  flight       upstream → Stage (hash) → readers follow the growing file, without the last bytes
//	               → sums right? → commit, record → the last bytes. A wrong sum breaks every reader's connection.
//
// What can be made of another file is a file as well (Place.Make); Set.Parts reads what that needs without fetching it
// all.
//
// What is kept lives in the store as packages of two more kinds for each protocol ([store.Kind.Documents],
// [store.Kind.CachedFiles]), so that references, sweeping, checks and backups are the store's. When an upstream last
// confirmed something is written down in batches (Registry.Flush); that something does not exist is remembered in
// memory only: a restart asks again.
//
// # Where is what
//
//	config.go    what an operator may say           set.go       what is ours, the chain of upstreams
//	rules.go     which names and versions a rule means
//	document.go  what changes                       flight.go    what does not, while it comes
//	file.go      what does not, once it is here     entry.go     records
//	parts.go     pieces of what is not here         shown.go     files that no document names any more
//	encoding.go  what comes with an encoding        scan.go      documents too large to be held in memory
//	page.go      pages that come instead of files
//	remote.go    one remote registry                fetch.go     one request: retries, budget, classification
//	dial.go      where we may connect to            token.go     the token flow of container registries
//	elsewhere.go where we do not go
//	refused.go   what a refusal means               withheld.go  what was asked for in vain
//	compare.go   names that are published here for the first time
//	unsure.go    those that could not be compared, over a restart
//	patience.go  places in line, time limits
//	breaker.go   not asking who is down             age.go       versions that are too young, or blocked
//	link.go      where the next page of a list is
//	confirm.go   when upstreams confirmed something
//	evict.go     making room                        admin.go     what operators see and do
//	check.go     trying a registry out for its operator
//	why.go       which rules a version meets        plan.go      what a purge would drop
//	traffic.go   what clients were answered
//	copies.go    what is found in searches and lists
//	pinned.go    files that nobody gives a sum of
//	sources.go   whose copies are whose             mend.go      fetching again what went bad on disk
//	oldnames.go  copies under names of before
package upstream
