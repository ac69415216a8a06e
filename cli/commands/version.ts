// version: which build this is.
import { buildInfo } from '../../shared/lifecycle/build-info.js';
import { print, type Context } from '../context.js';

export async function version(context: Context): Promise<undefined> {
  print(
    context,
    buildInfo(),
    (build) => `clusterflux ${build.version} (commit ${build.commit}, Node.js ${build.node})`,
  );
  return undefined;
}
