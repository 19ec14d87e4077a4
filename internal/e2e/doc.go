// Package e2e tests the whole program: the scripts of testdata/script with real clients, live tests beside the public
// registries, tests that kill the server or fill its disk, and the rules that the source tree keeps.
//
//	go test ./internal/e2e -run 'TestScript/npm'            the scripts of one protocol
//	go test ./internal/e2e -run '(Snippets|Texts)Run/npm'   what the pages tell the readers who use a client
//	go test ./internal/e2e -run TestBrowser                 the pages in a browser
//	go test ./internal/e2e -run TestImports                 which package may import which
//
// A client that is not installed is skipped; with LARDER_CLIENTS=all that is a failure. It has no code outside tests.
package e2e
