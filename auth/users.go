package auth

// Users: adding, changing and removing them, and what each change ends.

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"larder/internal/problem"
	"larder/store"
)

// Tables. A value is the format number and JSON.
const (
	// name → userRow; generationKey → the last generation given to any user (8 bytes, big-endian)
	usersTable  = "auth.users"
	tokensTable = "auth.tokens" // SHA-256 of the token → tokenRow
	// SHA-256 of the cookie's value → sessionRow
	sessionsTable = "auth.sessions"
	rowFormat     = 1
)

// generationKey sorts before every name and is none.
var generationKey = [1]byte{0}

// User is somebody who can log in.
type User struct {
	Name     string    `json:"name"`
	Password string    `json:"-"` // for AddUser only; never read back
	Admin    bool      `json:"admin"`
	Disabled bool      `json:"disabled"`
	Scopes   Scopes    `json:"scopes,omitempty"` // none: everything but admin
	Created  time.Time `json:"created"`
}

// userRow is a User as stored.
type userRow struct {
	Hash     string    `json:"hash"` // bcrypt of the condensed password
	Admin    bool      `json:"admin,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Scopes   Scopes    `json:"scopes,omitempty"`
	Created  time.Time `json:"created"`
	// Generation changes with every change of the user and is never given twice, not even to a later user of the same
	// name. It is part of every JWT and password proof, so all of them end with the change.
	Generation uint64 `json:"generation"`
}

// maxUserName fits every client's login form and a line of a log.
const maxUserName = 64

// CheckUserName accepts names that every protocol carries unescaped in Basic, in URLs and in its documents: 1 to 64 of
// a-z 0-9 . _ -, starting and ending with a letter or digit. Reserved are "anonymous" and what looks like a token.
func CheckUserName(name string) error {
	ok := name != "" && len(name) <= maxUserName && name != "anonymous" && !hasPrefix(name)
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		word := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		ok = word || i > 0 && i < len(name)-1 && (c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return problem.Errorf(
			store.ErrInvalid, "%q cannot be a user name: use 1 to %d of a-z 0-9 . _ -, with a letter or digit at both ends",
			name, maxUserName,
		)
	}
	return nil
}

// everything is what a user without scopes may do.
func everything() Scopes {
	return Scopes{{kind: anything, typ: anything, name: anything, actions: allActions &^ adminBit}}
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte{rowFormat}, b...), nil
}

func decode(b []byte, v any) error {
	if len(b) == 0 || b[0] != rowFormat {
		return store.ErrFormat
	}
	return json.Unmarshal(b[1:], v)
}

// putRow encodes and stores v.
func putRow(t store.Table, key []byte, v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	return t.Put(key, b)
}

func noUser(name string) error {
	return problem.Errorf(store.ErrNotFound, "There is no user %q.", name)
}

func userIn(tx *store.Tx, name string) (userRow, error) {
	var u userRow
	b := tx.Table(usersTable).Get([]byte(name))
	if b == nil || name == "" {
		return u, noUser(name)
	}
	if err := decode(b, &u); err != nil {
		return u, fmt.Errorf("record of user %s: %w", name, err)
	}
	return u, nil
}

func accountIn(tx *store.Tx, name string) (*account, error) {
	u, err := userIn(tx, name)
	if err != nil {
		return nil, err
	}
	a := &account{
		name: name, hash: []byte(u.Hash), admin: u.Admin, disabled: u.Disabled, grants: u.Scopes, generation: u.Generation,
	}
	if len(a.grants) == 0 {
		a.grants, a.unscoped = everything(), true
	}
	return a, nil
}

// putUser stores u under a new generation and writes the journal entry.
func (l *Local) putUser(tx *store.Tx, name string, u userRow, op store.Op, note string) error {
	users := tx.Table(usersTable)
	u.Generation = lastGeneration(users) + 1
	if err := users.Put(generationKey[:], binary.BigEndian.AppendUint64(nil, u.Generation)); err != nil {
		return err
	}
	if err := putRow(users, []byte(name), u); err != nil {
		return err
	}
	tx.Log(store.Entry{Op: op, Note: note})
	tx.OnCommit(l.memory.forget)
	return nil
}

// lastGeneration is 0 in a folder that never had a user.
func lastGeneration(users store.Table) uint64 {
	if b := users.Get(generationKey[:]); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// AddUser creates a user. ErrExists if the name is taken, ErrInvalid if name or password cannot be used.
func (l *Local) AddUser(ctx context.Context, u User) error {
	if err := CheckUserName(u.Name); err != nil {
		return err
	}
	row, err := l.newRow(u)
	if err != nil {
		return err
	}
	err = l.store.Update(ctx, func(tx *store.Tx) error { return l.insert(tx, u.Name, row) })
	if err != nil {
		return fmt.Errorf("add user %s: %w", u.Name, err)
	}
	return nil
}

// newRow hashes the password, which takes tens of milliseconds: outside the transaction.
func (l *Local) newRow(u User) (userRow, error) {
	if err := l.checkNewPassword(u.Name, u.Password); err != nil {
		return userRow{}, err
	}
	hash, err := hashPassword(u.Password, l.opt.Cost)
	if err != nil {
		return userRow{}, err
	}
	return userRow{Hash: string(hash), Admin: u.Admin, Disabled: u.Disabled, Scopes: u.Scopes.Canonical()}, nil
}

// checkNewPassword says whether a user may have a password from now on.
func (l *Local) checkNewPassword(name, password string) error {
	err := checkCarried(password)
	if err == nil && !l.opt.AnyPassword {
		err = checkPassword(name, password)
	}
	return err
}

func (l *Local) insert(tx *store.Tx, name string, row userRow) error {
	if tx.Table(usersTable).Get([]byte(name)) != nil {
		return problem.Errorf(store.ErrExists, "There is a user %q already.", name)
	}
	row.Created = tx.Now()
	note := "user " + name
	if row.Admin {
		note += " (administrator)"
	}
	return l.putUser(tx, name, row, store.OpUserAdd, note)
}

// SetPassword changes the password and ends every login and JWT made with the old one. Personal tokens live on: they
// are listed and revoked by themselves, or all at once by RevokeTokens. ErrNotFound, ErrInvalid.
func (l *Local) SetPassword(ctx context.Context, name, password string) error {
	row, err := l.newRow(User{Name: name, Password: password})
	if err != nil {
		return err
	}
	return l.change(ctx, name, store.OpUserPasswd, "password of user "+name, func(u *userRow) { u.Hash = row.Hash })
}

func (l *Local) change(ctx context.Context, name string, op store.Op, note string, fn func(*userRow)) error {
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		u, err := userIn(tx, name)
		if err != nil {
			return err
		}
		before := u
		fn(&u)
		if err := keepAdministrator(tx, name, before, u); err != nil {
			return err
		}
		return l.putUser(tx, name, u, op, note)
	})
	if err != nil {
		return fmt.Errorf("change user %s: %w", name, err)
	}
	return nil
}

// RemoveUser removes a user and all their tokens and sessions. What they published stays. ErrNotFound, ErrReferenced
// for the last administrator.
func (l *Local) RemoveUser(ctx context.Context, name string) error {
	err := l.store.Update(ctx, func(tx *store.Tx) error {
		u, err := userIn(tx, name)
		if err != nil {
			return err
		}
		if err := keepAdministrator(tx, name, u, userRow{}); err != nil {
			return err
		}
		if _, err := l.dropTokens(tx, name); err != nil {
			return err
		}
		if _, err := l.dropSessions(tx, name, every); err != nil {
			return err
		}
		if err := tx.Table(usersTable).Delete([]byte(name)); err != nil {
			return err
		}
		tx.Log(store.Entry{Op: store.OpUserRemove, Note: "user " + name})
		tx.OnCommit(l.memory.forget)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove user %s: %w", name, err)
	}
	return nil
}

// Users returns all users by name, without passwords.
func (l *Local) Users(ctx context.Context) ([]User, error) {
	out := []User{}
	err := l.store.View(ctx, func(tx *store.Tx) error {
		for k, b := range tx.Table(usersTable).Scan(nil, generationKey[:]) {
			var u userRow
			if err := decode(b, &u); err != nil {
				return fmt.Errorf("record of user %s: %w", k, err)
			}
			out = append(out, u.user(string(k)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return out, nil
}

// User returns one user without the password; ErrNotFound.
func (l *Local) User(ctx context.Context, name string) (User, error) {
	var out User
	err := l.store.View(ctx, func(tx *store.Tx) error {
		u, err := userIn(tx, name)
		out = u.user(name)
		return err
	})
	return out, err
}

func (u userRow) user(name string) User {
	return User{Name: name, Admin: u.Admin, Disabled: u.Disabled, Scopes: slices.Clone(u.Scopes), Created: u.Created}
}
