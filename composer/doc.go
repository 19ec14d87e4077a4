// Package composer serves a Composer 2 repository: Composer installs from it, searches it and audits against it; scripts
// publish to it in the dialects of other registries, since Composer itself cannot publish.
//
// A package is a store package of kind composer. A release is called by its normalised version; each state of a branch is a
// version of its own, called by branch and archive, and a store tag named like the branch points at the present one. So the
// archive a lock file names is served for as long as nobody purges it. What documents show of a version is a fragment, a row
// derived from its record: rendering compares each with the one before, as minified metadata wants it, and decodes nothing.
// A publish costs the same however many versions there are.
//
// # Wire table
//
// P is a package (acme/demo), N a provided name, V a version, R an archive's reference, F a file name. HEAD is answered
// wherever GET is. Paths are below /composer; "ours" marks what nobody else has, the dialects of uploads are those of the
// registries named.
//
//	GET     /packages.json                  composer.root            repositories  composer, always
//	PUT     /                               composer.put             Gitea         curl -T, CI; ?version=, ?src-type= …, ?private=1; also /F.zip
//	GET     /p2/P.json                      composer.metadata        repositories  composer require, update, show, audit
//	GET     /p2/P~dev.json                  composer.metadata        repositories  composer, where branches are allowed
//	GET     /dists/P/V/R.zip                composer.dist            repositories  composer install, also without any metadata
//	GET     /packages/P.json                composer.info            packagist     dashboards, update bots
//	GET     /list.json                      composer.list            repositories  composer search -N, show -a 'acme/*', completion
//	GET     /search.json                    composer.search          repositories  composer search
//	GET     /providers/N.json               composer.providers       repositories  composer, when a name cannot be resolved
//	POST    /downloads/                     composer.notify          repositories  composer, after every install
//	GET     /api/security-advisories/       composer.audit           packagist     tools; ?packages[]=, ?updatedSince=
//	POST    /api/security-advisories/       composer.audit           repositories  composer audit
//	GET     /filter-summary.json            composer.filter          repositories  composer from 2.10 on, before every install
//	GET     /metadata/changes.json          composer.changes         packagist     mirrors; ?since=
//	PUT     /packages/upload/P/V            composer.upload          Nexus         composer push, curl; the archive or a form
//	POST    /packages/upload/P/V            composer.upload          Nexus         the same
//	PUT     /P/F.zip                        composer.upload          Artifactory   composer push, curl; ?properties=composer.version=
//	DELETE  /packages/P/versions/V          composer.version.delete  ours          curl; ?purge=1 removes the archive as well
//	DELETE  /packages/P                     composer.package.delete  ours          curl; ?purge=1
//	GET     /packages/P/settings            composer.settings        ours          operators
//	PUT     /packages/P/settings            composer.settings.set    ours          operators: {"private": true, "abandoned": "acme/other"}
//	GET     /api/advisories                 composer.advisories      ours          operators
//	PUT     /api/advisories                 composer.advisories.set  ours          operators: an array, or another registry's answer, replaces all
//
// # Rights
//
// Reading needs read, publishing create, replacing the state of a branch and settings write, deleting delete, and loading
// advisories admin. The first publisher of a package is its owner; a private package is seen by its owners, by administrators
// and by users to whom scopes were given for it. To everybody else it answers as one that does not exist, in every list too.
//
// # Where is what
//
//	routes.go   paths           model.go    what is stored        publish.go     a version comes in
//	index.go    documents       serve.go    reading               manage.go      changing, the feed of changes
//	search.go   lists, search   downloads.go  counts              advisories.go  audit
//	errors.go   every error body
//
//	naming/     names           manifest/   composer.json and the archive around it
//	minify/     lists of versions, minified
//	semver/     versions and constraints as composer/semver, the library in PHP, reads them
package composer
