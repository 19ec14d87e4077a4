// Package rubygems serves the RubyGems protocol. gem and Bundler, from RubyGems 3.3 to 4.0, publish to it, install from
// it, and manage what is there.
//
// A gem is a store package of kind rubygems. The ID of a version is its number and, unless that is ruby, its platform:
// 1.0-x86_64-linux. Its .gem is its first file. Its record holds its specification, as data, and its line of the
// compact index. Whatever clients read of the whole registry is derived from records, in the transaction that changes
// them: the lines of a gem and the state of their MD5, the list /versions with the states of its sums, the rows of the
// Marshal indexes, the specification in Ruby's binary format. So a push costs the same however many gems and versions
// there are.
//
// # Wire table
//
// Method, path below /rubygems, operation and what it needs. Who asks for it is said with the routes in rubygems.go,
// from which the table is made. {full} is a name and a version as in the name of a file: rack-3.1.0, or
// nokogiri-1.18.0-x86_64-linux. HEAD is answered wherever GET is. Empty segments of a path count as none.
//
//	GET     /                                                rubygems.root              list
//	GET     /versions                                        rubygems.versions          list
//	GET     /names                                           rubygems.names             list
//	GET     /info/{name}                                     rubygems.info              read
//	GET     /{index}.4.8.gz                                  rubygems.specs             list
//	GET     /quick/Marshal.4.8/{full}.gemspec.rz             rubygems.gemspec           read
//	GET     /gems/{full}.gem                                 rubygems.download          read
//	GET     /api/v1/dependencies.{form}                      rubygems.dependencies      list
//	GET     /api/v1/dependencies                             rubygems.dependencies      list
//	POST    /api/v1/gems                                     rubygems.push              body
//	DELETE  /api/v1/gems/yank                                rubygems.yank              body
//	PUT     /api/v1/gems/unyank                              rubygems.unyank            body
//	POST    /api/v1/gems/restore                             rubygems.restore           body
//	GET     /api/v1/gems.json                                rubygems.own               list
//	GET     /api/v1/gems/{name}.json                         rubygems.show              read
//	GET     /api/v1/gems/{name}/owners.{form}                rubygems.owners            read
//	POST    /api/v1/gems/{owned}/owners                      rubygems.owner.add         write
//	DELETE  /api/v1/gems/{owned}/owners                      rubygems.owner.remove      write
//	PATCH   /api/v1/gems/{owned}/owners                      rubygems.owner.change      write
//	GET     /api/v1/versions/{name}/latest.json              rubygems.latest            read
//	GET     /api/v1/versions/{name}.json                     rubygems.releases          read
//	GET     /api/v2/rubygems/{name}/versions/{version}.json  rubygems.release           read
//	GET     /api/v1/search.json                              rubygems.search            list
//	GET     /api/v1/timeframe_versions.json                  rubygems.timeframe         list
//	GET     /api/v1/activity/latest.json                     rubygems.activity.latest   list
//	GET     /api/v1/activity/just_updated.json               rubygems.activity.updated  list
//	GET     /api/v1/attestations/{full}.json                 rubygems.attestations      read
//	GET     /api/v1/downloads.json                           rubygems.downloads.all     list
//	GET     /api/v1/downloads/{full}.json                    rubygems.downloads         read
//	POST    /api/v1/api_key                                  rubygems.key.create        login
//	PUT     /api/v1/api_key                                  rubygems.key.change        login
//	GET     /api/v1/api_key.{form}                           rubygems.key               open
//	GET     /api/v1/api_key                                  rubygems.key               open
//	GET     /api/v1/profile/me.{form}                        rubygems.profile           login
//	POST    /api/v1/webauthn_verification                    rubygems.webauthn          login
//	POST    /api/v1/larder/compact                           rubygems.compact           admin
//
// # Rights
//
// Reading needs read, pushing create, yanking delete, changing owners write, restoring and compacting admin. The scopes
// of a key made by gem signin are those that clients know: push_rubygem is create, yank_rubygem delete, add_owner,
// update_owner and remove_owner write. The first publisher of a gem is its owner. A user without scopes changes only
// gems that they own; scopes are how an administrator says which gems a user may change. Lists have what the client may
// read: clients who may read everything get the stored list, others one that is rendered for them. The name of a file
// does not say where the name of the gem ends, so its gem is looked up before the right is asked.
//
// # Where is what
//
//	rubygems.go  options, routes     routes.go  their fields          model.go   what is stored
//	publish.go   a version comes in  index.go   rows of the indexes   serve.go   reading
//	manage.go    yank, owners        login.go   keys, profile         api.go     JSON
//	search.go    search              proxy.go   upstreams             errors.go  every error body
//	compact.go   /versions, shortened
//	marshalonly.go  upstreams without a compact index
//	remoteapi.go    JSON of upstreams' gems
//	downloads.go    how often gems were fetched
//
// What can be understood by itself lies in folders:
//
//	names         what gems and their files may be called
//	version       numbers and platforms, and which version is newer
//	archive       what a .gem says of itself, and the rules for it
//	gemspec       specifications, in YAML and in Ruby's binary format
//	compactindex  the lines of the compact index
//	form          forms as gem sends them
//
// Package ledger keeps and serves the list that only grows.
package rubygems
