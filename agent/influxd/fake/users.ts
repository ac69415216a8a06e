// What statements about users and privileges do to the metadata of the fake influxd, as seen on real servers (1.6).
import { create } from '@bufbuild/protobuf';
import type { Data, UserInfo } from '../../../shared/meta/gen/meta_pb.js';
import { UserInfoSchema, UserPrivilegeSchema } from '../../../shared/meta/gen/meta_pb.js';
import type { CommandOf, Effect, MetadataOptions } from './outcome.js';
import { databaseNamed, Refusal } from './outcome.js';

type UserCommand = CommandOf<
  'create-user' | 'set-password' | 'drop-user' | 'set-admin' | 'set-privilege'
>;

export function applyUserCommand(
  data: Data,
  command: UserCommand,
  options: MetadataOptions,
): Effect {
  if (command.kind === 'create-user') return createUser(data, command, options);
  const user = userNamed(data, command.user);
  switch (command.kind) {
    case 'drop-user':
      data.Users = data.Users.filter((each) => each !== user);
      break;
    case 'set-password':
      user.Hash = options.hash(command.password);
      break;
    case 'set-admin':
      user.Admin = command.isAdmin;
      break;
    case 'set-privilege':
      databaseNamed(data, command.database);
      user.Privileges = [
        ...user.Privileges.filter(({ Database }) => Database !== command.database),
        create(UserPrivilegeSchema, { Database: command.database, Privilege: command.level }),
      ];
      break;
  }
  return 'committed';
}

function createUser(
  data: Data,
  command: CommandOf<'create-user'>,
  options: MetadataOptions,
): Effect {
  const { user: Name, password, isAdmin: Admin } = command;
  if (Name === '') throw new Refusal('username required');
  const existing = data.Users.find((user) => user.Name === Name);
  if (existing !== undefined) {
    if (existing.Admin === Admin && options.verify(password, existing.Hash)) return 'nothing';
    throw new Refusal('user already exists');
  }
  data.Users.push(create(UserInfoSchema, { Name, Hash: options.hash(password), Admin }));
  return 'committed';
}

function userNamed(data: Data, name: string): UserInfo {
  const found = data.Users.find(({ Name }) => Name === name);
  if (found === undefined) throw new Refusal('user not found');
  return found;
}
