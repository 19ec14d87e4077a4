// Package composer serves a Composer 2 repository: Composer installs from it, searches it and audits against it;
// scripts publish to it in the dialects of other registries, since Composer itself cannot publish.
//
// A package is a store package of kind composer. A release is called by its normalised version; each state of a branch
// is a version of its own, called by branch and archive, and a store tag named like the branch points at the present
// one. So the archive a lock file names is served for as long as nobody purges it. What documents show of a version is
// a fragment, a row derived from its record: rendering compares each with the one before, as minified metadata wants
// it, and decodes nothing. A publish costs the same however many versions there are.
//
// # Wire table
//
// Method, path below /composer, operation and what it needs; who asks for it stands with the routes in composer.go,
// from which the table is made. HEAD is answered wherever GET is.
//
//	GET     /packages.json                                    composer.root            list
//	GET     /                                                 composer.root            list
//	PUT     /                                                 composer.put             body
//	PUT     /{file}                                           composer.put             body
//	GET     /p2/{releases...}.json                            composer.metadata        read
//	GET     /p2/{branches...}~dev.json                        composer.metadata        read
//	GET     /dists/{vendor}/{base}/{normalized...}/{archive}  composer.dist            read
//	GET     /packages/{vendor}/{base}.json                    composer.info            read
//	GET     /packages/{vendor}/{base}/stats.json              composer.stats           read
//	GET     /list.json                                        composer.list            list
//	GET     /packages/list.json                               composer.list            list
//	GET     /search.json                                      composer.search          list
//	GET     /providers/{provided...}.json                     composer.providers       list
//	POST    /downloads/                                       composer.notify          list
//	GET     /api/security-advisories/                         composer.audit           list
//	POST    /api/security-advisories/                         composer.audit           list
//	GET     /filter-summary.json                              composer.filter          list
//	GET     /metadata/changes.json                            composer.changes         list
//	PUT     /packages/upload/{vendor}/{base}/{version...}     composer.upload          create
//	POST    /packages/upload/{vendor}/{base}/{version...}     composer.upload          create
//	PUT     /packages/{vendor}/{base}                         composer.upload          create
//	PUT     /{artifact...}                                    composer.upload          create
//	DELETE  /packages/{vendor}/{base}/versions/{shown...}     composer.version.delete  delete
//	DELETE  /packages/{vendor}/{base}/{shown...}              composer.version.delete  delete
//	DELETE  /packages/{vendor}/{base}                         composer.package.delete  delete
//	GET     /packages/{vendor}/{base}/settings                composer.settings        read
//	PUT     /packages/{vendor}/{base}/settings                composer.settings.set    write
//	GET     /{vendor}/{base}/stats.json                       composer.stats           read
//	GET     /api/advisories                                   composer.advisories      admin
//	PUT     /api/advisories                                   composer.advisories.set  admin
//
// # Rights
//
// Reading needs read, publishing create, replacing the state of a branch and settings write, deleting delete, and
// loading advisories admin. The first publisher of a package is its owner; a private package is seen by its owners, by
// administrators and by users to whom scopes were given for it. To everybody else it answers as one that does not
// exist, in every list too.
//
// # Where is what
//
//	composer.go the routes           routes.go     paths and queries   model.go       what is stored
//	publish.go  a version comes in   index.go      documents           serve.go       reading
//	manage.go   changing, the feed   search.go     lists, search       proxy.go       copies of upstreams
//	upstreams.go  where versions are audit.go      upstreams' advisories
//	downloads.go  counts             advisories.go audit               errors.go      every error body
//	stats.go    counts by themselves, and what is known of a copy
//
//	names/      names of packages    version/      versions and constraints, as the library composer/semver has them
//	archive/    ZIP and tar          manifest/ composer.json
//	minify/     lists of versions, minified
package composer
