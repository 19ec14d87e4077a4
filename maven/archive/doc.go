// Package archive is what uploaded files say of themselves: jars, Gradle's module metadata, and signatures.
//
// Every reader has limits. What cannot be read is only not known: the layout asks of no file that it be readable.
package archive
